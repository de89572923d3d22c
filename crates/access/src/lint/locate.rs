//! From byte offsets to what a person reads: line, column and the path in the document.

use std::fmt::Write;

use super::Finding;
use super::context::Found;
use crate::json::{Node, Position, Value};

/// The findings with their places; they come in the order of the text, which is read once.
pub(super) fn findings(text: &str, root: &Node<'_>, found: Vec<Found>) -> Vec<Finding> {
    let mut cursor = Cursor { text, offset: 0, position: Position { line: 1, column: 1 } };
    let located = found.into_iter().map(|found| Finding {
        code: found.code,
        position: cursor.move_to(found.offset),
        path: path(root, found.offset),
        values: found.values,
        suggestion: found.suggestion,
    });
    located.collect()
}

/// A place in the text that only moves on.
struct Cursor<'t> {
    text: &'t str,
    offset: usize,
    position: Position,
}

impl Cursor<'_> {
    fn move_to(&mut self, offset: usize) -> Position {
        let passed = self.text.get(self.offset..offset).unwrap_or_default();
        let moved = Position::of(passed, passed.len());
        self.position = Position {
            line: self.position.line + moved.line - 1,
            column: if moved.line == 1 { self.position.column + moved.column - 1 } else { moved.column },
        };
        self.offset = self.offset.max(offset);
        self.position
    }
}

/// The path of what begins at the offset, a member's name standing for the member.
fn path(root: &Node<'_>, offset: usize) -> String {
    let mut path = String::new();
    let mut node = root;
    while node.start < offset {
        match &node.value {
            Value::Object(members) => {
                let Some(member) = members.iter().find(|member| member.start <= offset && offset < member.node.end)
                else {
                    break;
                };
                push_name(&mut path, &member.name);
                if offset == member.start {
                    break;
                }
                node = &member.node;
            }
            Value::Array(items) => {
                let at = items.partition_point(|item| item.end <= offset);
                let Some(item) = items.get(at).filter(|item| item.start <= offset) else { break };
                // Writing to a text cannot fail.
                let _ = write!(path, "[{at}]");
                node = item;
            }
            _ => break,
        }
    }
    if path.is_empty() { "$".to_owned() } else { path }
}

fn push_name(path: &mut String, name: &str) {
    let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_:-/".contains(&byte));
    if !plain {
        let _ = write!(path, "[{name:?}]");
        return;
    }
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(name);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn moving_on_comes_to_the_same_place(text in "[aé\n]{0,30}", cuts in prop::collection::vec(any::<prop::sample::Index>(), 1..5)) {
            let offsets: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            let mut chosen: Vec<usize> = cuts.iter().map(|cut| offsets[cut.index(offsets.len())]).collect();
            chosen.sort_unstable();
            let mut cursor = Cursor { text: &text, offset: 0, position: Position { line: 1, column: 1 } };
            for offset in chosen {
                prop_assert_eq!(cursor.move_to(offset), Position::of(&text, offset));
            }
        }
    }
}
