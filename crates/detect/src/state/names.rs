//! Names of events, each kept once.

use foldhash::{HashMap, HashMapExt};

/// The most names: AWS has some 20,000 API operations.
const NAMES_MAX: usize = 65_536;

/// Of an event without a name, and of one for whose name there was no room.
const NONE: u32 = u32::MAX;

/// Names by number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) names: Vec<String>,
    numbers: HashMap<String, u32>,
}

impl Names {
    pub(crate) fn of(names: Vec<String>) -> Self {
        let mut numbers = HashMap::with_capacity(names.len());
        for (number, name) in (0_u32..).zip(&names) {
            numbers.insert(name.clone(), number);
        }
        Self { names, numbers }
    }

    pub(crate) fn number(&mut self, name: Option<&str>) -> u32 {
        let Some(name) = name else { return NONE };
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        if self.names.len() >= NAMES_MAX {
            return NONE;
        }
        let number = u32::try_from(self.names.len()).unwrap_or(NONE);
        self.names.push(name.to_owned());
        self.numbers.insert(name.to_owned(), number);
        number
    }

    pub(crate) fn name(&self, number: u32) -> Option<&str> {
        self.names.get(number as usize).map(String::as_str)
    }
}
