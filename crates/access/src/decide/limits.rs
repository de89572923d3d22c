//! How much work one answer may take, and what is said when that is not enough.

/// The most different patterns or conditions looked at together: the bits of a [`super::joint::Set`].
pub(super) const ATOMS_MAX: usize = 128;

/// The most states of a joint walk over patterns. Policies of AWS's own need a few hundred; each takes under a
/// microsecond.
pub(super) const STATES_MAX: usize = 20_000;

/// The most partial answers kept while dimensions are put together.
pub(super) const PRODUCT_MAX: usize = 50_000;

/// The most combinations of values of one condition key.
pub(super) const VALUES_MAX: usize = 4_096;

/// The most questions asked for one answer: an Allow, a Deny that may hide it, and what must not match.
pub(super) const QUERIES_MAX: usize = 20_000;

/// The most actions of one class tried in search of a request that AWS could make.
pub(super) const ACTIONS_TRIED_MAX: usize = 4_000;

/// The most values tried for the policy variables of one pair of policies.
pub(super) const BINDINGS_MAX: usize = 96;

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Undecided {
    /// Too many different patterns or conditions meet.
    #[error("more than {ATOMS_MAX} patterns meet in one place")]
    Atoms,
    /// The patterns of a resource or of a condition key are too entangled.
    #[error("the patterns combine in more than {STATES_MAX} ways")]
    States,
    /// The dimensions combine in too many ways.
    #[error("the statements combine in more than {PRODUCT_MAX} ways")]
    Product,
    /// A condition key has too many combinations of values.
    #[error("a condition key has more than {VALUES_MAX} combinations of values")]
    Values,
    /// Too many pairs of statements.
    #[error("more than {QUERIES_MAX} combinations of statements have to be looked at")]
    Queries,
    /// What is not excluded rests on a policy variable of which too little is known.
    #[error("it depends on the value of a policy variable")]
    Variable,
    /// A condition key is compared in ways that do not go together, such as text and number.
    #[error("a condition key is compared both as one kind of value and as another")]
    MixedKinds,
    /// A request was found that the evaluator does not let through: what was assumed does not hold for it.
    #[error("a request that was found does not pass when evaluated")]
    Refuted,
}
