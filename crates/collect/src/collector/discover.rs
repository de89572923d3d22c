//! Whose credentials these are, and which regions the account has enabled.

use serde_json::{Value, json};
use yagura_model::{AccountId, Arn, Cause, CouldNotLook, Partition, Region};

use super::api::{Api, Call, Failure};

/// How many pages a list of regions may have.
const REGION_PAGES_MAX: usize = 20;

/// What the credentials lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovered {
    /// The account.
    pub account: AccountId,
    /// Its partition.
    pub partition: Partition,
    /// Who asks.
    pub caller: Arn,
    /// The regions that are enabled, in alphabetical order.
    pub regions: Vec<Region>,
    /// The regions that are not.
    pub disabled_regions: Vec<Region>,
}

/// Why an account could not be found out about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undiscovered {
    /// The credentials are not accepted, or nothing answers.
    #[error("who the credentials belong to could not be asked")]
    Caller(#[source] CouldNotLook),
    /// Neither way of asking for the regions is allowed; they can be given by hand.
    #[error("the regions of account {account} could not be listed")]
    Regions {
        /// The account.
        account: AccountId,
        /// Its partition.
        partition: Partition,
        /// Why `ec2:DescribeRegions` did not answer.
        ec2: CouldNotLook,
        /// Why `account:ListRegions` did not.
        #[source]
        account_api: CouldNotLook,
    },
}

/// Asks for the account, its partition and its regions, beginning at the endpoint of `region`.
pub async fn discover(api: &dyn Api, region: &Region) -> Result<Discovered, Undiscovered> {
    let call = Call { service: "sts", region: region.as_str(), operation: "GetCallerIdentity", input: &json!({}) };
    let identity = api.call(call).await.map_err(|failure| Undiscovered::Caller(with_action(api, failure)))?;
    let malformed = |error: &str| Undiscovered::Caller(*Failure::own(call, Cause::Malformed, error).look);
    let account = identity.get("Account").and_then(Value::as_str).unwrap_or_default();
    let account: AccountId = account.parse().map_err(|_| malformed("the answer has no account id"))?;
    let caller = identity.get("Arn").and_then(Value::as_str).unwrap_or_default();
    let partition = caller.split(':').nth(1).filter(|partition| !partition.is_empty());
    let partition = Partition::from(partition.ok_or_else(|| malformed("the answer has no ARN"))?);
    let caller = Arn::from(caller);
    let (mut regions, mut disabled_regions) = match by_ec2(api, region).await {
        Ok(regions) => regions,
        Err(ec2) => by_account(api, region).await.map_err(|other| Undiscovered::Regions {
            account: account.clone(),
            partition: partition.clone(),
            ec2: with_action(api, ec2),
            account_api: with_action(api, other),
        })?,
    };
    regions.sort();
    disabled_regions.sort();
    Ok(Discovered { account, partition, caller, regions, disabled_regions })
}

/// Enabled and disabled regions.
type Regions = (Vec<Region>, Vec<Region>);

async fn by_ec2(api: &dyn Api, region: &Region) -> Result<Regions, Failure> {
    let input = json!({"AllRegions": true});
    let call = Call { service: "ec2", region: region.as_str(), operation: "DescribeRegions", input: &input };
    let answer = api.call(call).await?;
    split(call, [&answer], "RegionName", "OptInStatus", &["opted-in", "opt-in-not-required"])
}

async fn by_account(api: &dyn Api, region: &Region) -> Result<Regions, Failure> {
    let input = json!({"MaxResults": 50});
    let call = Call { service: "account", region: region.as_str(), operation: "ListRegions", input: &input };
    let answer = api.pages(call, REGION_PAGES_MAX).await;
    if let Some(failure) = answer.failure {
        return Err(failure);
    }
    // A region that is being switched off still answers.
    split(call, &answer.pages, "RegionName", "RegionOptStatus", &["ENABLED", "ENABLED_BY_DEFAULT", "DISABLING"])
}

fn split<'a>(
    call: Call<'_>,
    pages: impl IntoIterator<Item = &'a Value>,
    name: &str,
    status: &str,
    enabled: &[&str],
) -> Result<Regions, Failure> {
    let (mut on, mut off) = (Vec::new(), Vec::new());
    for region in pages.into_iter().filter_map(|page| page.get("Regions")?.as_array()).flatten() {
        let text = |key: &str| region.get(key).and_then(Value::as_str);
        let (Some(name), Some(status)) = (text(name), text(status)) else {
            return Err(Failure::own(call, Cause::Malformed, "a region has no name or no status"));
        };
        if enabled.contains(&status) { on.push(Region::from(name)) } else { off.push(Region::from(name)) }
    }
    if on.is_empty() {
        return Err(Failure::own(call, Cause::Malformed, "no region is enabled"));
    }
    Ok((on, off))
}

fn with_action(api: &dyn Api, failure: Failure) -> CouldNotLook {
    let mut look = *failure.look;
    look.action = look.action.or_else(|| api.iam_action(&look.service, &look.operation));
    look
}
