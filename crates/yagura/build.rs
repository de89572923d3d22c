//! Rebuilds the program when the content that it carries changes.

fn main() {
    for content in ["rules", "resources", "standards", "locales"] {
        println!("cargo:rerun-if-changed=../../{content}");
    }
}
