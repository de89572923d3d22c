//! Domain names with everything below them.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::sets::{SetId, Sets};

/// Normal domain names (lower case, ASCII, no dot at the end), each standing for itself and all below it.
#[derive(Debug, Default)]
pub(super) struct Names(HashMap<Box<str>, SetId, RandomState>);

impl Names {
    /// The names with the lists that hold them. Each name also gets the lists of the names above it, so that the longest name that
    /// is found says everything.
    pub(super) fn new<'a>(listed: impl IntoIterator<Item = (&'a str, u8)>, sets: &mut Sets) -> Self {
        let mut own: HashMap<Box<str>, SetId, RandomState> = HashMap::default();
        for (name, list) in listed {
            if let Some(set) = own.get_mut(name) {
                *set = sets.with(*set, list);
            } else {
                let set = sets.with(SetId::default(), list);
                own.insert(name.into(), set);
            }
        }
        let mut inherited = Vec::new();
        for (name, set) in &own {
            let above = upwards(name).skip(1).filter_map(|name| own.get(name).copied());
            let all = above.fold(*set, |all, above| sets.join(all, above));
            if all != *set {
                inherited.push((name.clone(), all));
            }
        }
        own.extend(inherited);
        Self(own)
    }

    /// The lists with `name`, which is normal, or a name above it.
    pub(super) fn find(&self, name: &str) -> Option<SetId> {
        if self.0.is_empty() {
            return None;
        }
        upwards(name).find_map(|name| self.0.get(name).copied())
    }
}

/// The name, then each name above it.
fn upwards(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |name| name.split_once('.').map(|(_, above)| above))
}
