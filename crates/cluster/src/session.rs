//! What client, scheduler and executors must have in common: settings, and the functions of questions.

use ballista_core::extension::SessionConfigExt;
use ballista_core::optimizer::with_ballista_optimizer_rules;
use ballista_core::registry::BallistaFunctionRegistry;
use ballista_core::utils::default_session_builder;
use datafusion::common::Result;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionConfig;

use crate::{MESSAGE_BYTES_MAX, PIECES};

/// The settings of a session of the cluster.
pub(crate) fn config() -> SessionConfig {
    settings(SessionConfig::new_with_ballista())
}

/// The settings of the cluster over those that a session has already.
fn settings(config: SessionConfig) -> SessionConfig {
    config.with_target_partitions(PIECES).with_ballista_grpc_client_max_message_size(MESSAGE_BYTES_MAX as usize)
}

/// The session that makes plans for a cluster: without what works inside one process only.
pub(crate) fn planner(state: SessionState) -> SessionState {
    let config = settings(state.config().clone().upgrade_for_ballista());
    let rules = with_ballista_optimizer_rules(state.optimizers());
    SessionStateBuilder::new_from_existing(state).with_config(config).with_optimizer_rules(rules).build()
}

/// A session with every function that a plan may name.
pub(crate) fn state(config: SessionConfig) -> Result<SessionState> {
    let mut state = default_session_builder(config)?;
    yagura_lake::register_functions(&mut state)
        .map_err(|error| datafusion::error::DataFusionError::External(Box::new(error)))?;
    Ok(state)
}

/// Every function that a plan may name.
pub(crate) fn functions() -> Result<BallistaFunctionRegistry> {
    Ok(BallistaFunctionRegistry::from(&state(config())?))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use datafusion::execution::FunctionRegistry;
    use datafusion::prelude::SessionContext;

    use super::*;

    /// A function that the embedded engine knows and an executor does not would fail in the middle of a question.
    #[test]
    fn executors_know_every_function_of_the_embedded_engine() {
        let mut embedded = SessionContext::new();
        yagura_lake::register_functions(&mut embedded).unwrap();
        let executor = functions().unwrap();
        let missing = |asked: std::collections::HashSet<String>, known: std::collections::HashSet<String>| {
            asked.difference(&known).cloned().collect::<BTreeSet<String>>()
        };
        let none = BTreeSet::new();
        assert_eq!(missing(embedded.udfs(), executor.udfs()), none);
        assert_eq!(missing(embedded.udafs(), executor.udafs()), none);
        assert_eq!(missing(embedded.udwfs(), executor.udwfs()), none);
        assert!(executor.udf("json_as_text").is_ok());
    }

    #[test]
    fn plans_for_a_cluster_need_nothing_that_one_process_shares() {
        let state = planner(SessionContext::new().state());
        let options = state.config().options();
        assert_eq!(options.execution.target_partitions, PIECES);
        assert!(!options.optimizer.enable_dynamic_filter_pushdown);
        assert!(!options.optimizer.enable_physical_uncorrelated_scalar_subquery);
        assert!(state.optimizers().iter().any(|rule| rule.name() == "not_in_subquery_rewrite"));
    }
}
