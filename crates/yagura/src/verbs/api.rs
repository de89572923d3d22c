//! `yagura api`: any reading operation.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::cli::{ApiArgs, Common};
use crate::config::Config;
use crate::pipeline::{self, Live};
use crate::words::Words;
use crate::{Exit, Usage, print};

/// Runs one operation, all its pages, and prints what it answered; pages are merged as the AWS CLI merges them.
pub(super) fn run(common: &Common, args: &ApiArgs, config: &Config, words: &Words) -> Result<Exit> {
    let input: Value =
        serde_json::from_str(&args.input).map_err(|error| Usage(format!("--input is not JSON: {error}")))?;
    let answer = pipeline::runtime()?.block_on(async {
        let live = Live::connect(config, words).await?;
        let region = match args.account.region.first().or(config.regions.value.first()) {
            Some(region) => region.clone(),
            None => live.region(),
        };
        let mut pages = live
            .client()
            .pages(&args.service, &region, &args.operation, input)
            .with_context(|| format!("cannot ask {} {}", args.service, args.operation))?;
        let mut merged = Value::Null;
        while let Some(page) = pages.next().await {
            merge(&mut merged, page?);
        }
        anyhow::Ok(merged)
    })?;
    print::document(common, &answer)?;
    Ok(Exit::Clean)
}

/// Adds a page: lists are joined, everything else is as the last page has it.
fn merge(whole: &mut Value, page: Value) {
    match (whole, page) {
        (Value::Object(whole), Value::Object(page)) => {
            for (key, value) in page {
                match (whole.get_mut(&key), value) {
                    (Some(Value::Array(items)), Value::Array(more)) => items.extend(more),
                    (Some(place), value) => *place = value,
                    (None, value) => {
                        whole.insert(key, value);
                    }
                }
            }
        }
        (whole, page) => *whole = page,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pages_are_joined_by_their_lists() {
        let mut whole = Value::Null;
        merge(&mut whole, json!({ "Items": [1, 2], "Next": "a" }));
        merge(&mut whole, json!({ "Items": [3], "Next": null, "Count": 3 }));
        assert_eq!(whole, json!({ "Items": [1, 2, 3], "Next": null, "Count": 3 }));
    }
}
