//! Tasks of the repository that are no part of the program: `cargo xtask TASK`.

mod enlarge;
mod iam;
mod models;

use std::path::Path;

use anyhow::{Result, bail};

const USAGE: &str = "usage: cargo xtask models [--botocore DIR|WHEEL] | iam PACKAGE | enlarge BUNDLE RESOURCES TO";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match *arguments {
        ["models"] => models::run(None),
        ["models", "--botocore", path] => models::run(Some(Path::new(path))),
        ["iam", package] => iam::run(Path::new(package)),
        ["enlarge", from, count, to] => enlarge::run(Path::new(from), count.parse()?, Path::new(to)),
        _ => bail!(USAGE),
    }
}
