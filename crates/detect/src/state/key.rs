//! What state is found by: a hash of the values, so that a million addresses cost a million times sixteen bytes.

/// A hash of texts, the same in every run and version. Two different lists of texts never share one in practice: of
/// 2⁶⁴ of them two would.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Key(pub(crate) u64, pub(crate) u64);

impl Key {
    /// The key of texts, in order.
    pub(crate) fn of<'t>(parts: impl IntoIterator<Item = &'t str>) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        let mut words = hasher
            .finalize()
            .as_bytes()
            .chunks_exact(8)
            .filter_map(|word| word.try_into().ok().map(u64::from_le_bytes))
            .collect::<Vec<_>>()
            .into_iter();
        Self(words.next().unwrap_or_default(), words.next().unwrap_or_default())
    }
}
