//! What became of resources that events created, changed or deleted, by the ledger.

use std::collections::{BTreeSet, HashMap};

use anyhow::Result;
use chrono::{DateTime, Utc};
use serde::Serialize;
use yagura_lake::investigate::Changed;
use yagura_model::Arn;
use yagura_record::{Reader, ResourceRow};

/// What is known of a resource now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(super) enum Fate {
    /// It was there when the account was last looked at, after the events.
    Exists {
        /// When it was seen.
        seen: DateTime<Utc>,
    },
    /// It was there no more.
    Gone {
        /// When that was seen.
        since: DateTime<Utc>,
    },
    /// The account was not looked at since.
    NotSince {
        /// When it was looked at last.
        seen: DateTime<Utc>,
    },
    /// The ledger does not know it.
    Unknown,
}

/// What is known of each of the changes.
pub(super) async fn of(reader: &Reader, changes: &[Changed]) -> Result<Vec<Fate>> {
    let names: BTreeSet<&String> =
        changes.iter().flat_map(|change| std::iter::once(&change.name).chain(&change.names)).collect();
    let names: Vec<String> = names.into_iter().cloned().collect();
    let rows = reader.named(&names).await?;
    let mut by_name: HashMap<&str, Vec<&ResourceRow>> = HashMap::new();
    for row in &rows {
        let of_row = [Some(row.key.id.as_str()), row.arn.as_ref().map(Arn::as_str), row.name.as_deref()];
        let of_row: BTreeSet<&str> = of_row.into_iter().flatten().collect();
        for name in of_row {
            by_name.entry(name).or_default().push(row);
        }
    }
    Ok(changes.iter().map(|change| fate(change, &by_name)).collect())
}

fn fate(change: &Changed, rows: &HashMap<&str, Vec<&ResourceRow>>) -> Fate {
    let names = std::iter::once(&change.name).chain(&change.names);
    let mut mine: Vec<&ResourceRow> = names.filter_map(|name| rows.get(name.as_str())).flatten().copied().collect();
    mine.retain(|row| {
        let region = row.key.region.as_str();
        row.key.account.as_str() == change.account
            && (region == change.region || region == "global" || is_global(change))
    });
    // One name of several things: a role and its instance profile. The calls say which is meant.
    for says in [is_of_service, is_of_noun] {
        if mine.iter().any(|row| says(change, row)) {
            mine.retain(|row| says(change, row));
        }
    }
    let Some(row) = mine.into_iter().max_by_key(|row| (row.gone.is_none(), row.last_seen)) else {
        return Fate::Unknown;
    };
    let last = change.last().and_then(|last| DateTime::from_timestamp_micros(last.0));
    let looked = row.gone.unwrap_or(row.last_seen);
    match (row.gone, last) {
        (_, Some(last)) if looked < last => Fate::NotSince { seen: looked },
        (Some(since), _) => Fate::Gone { since },
        (None, _) => Fate::Exists { seen: row.last_seen },
    }
}

/// Events of global services stand in the logs of one region.
fn is_global(change: &Changed) -> bool {
    ["iam", "s3", "cloudfront", "route53", "organizations"].contains(&change.service.as_str())
}

fn is_of_service(change: &Changed, row: &ResourceRow) -> bool {
    row.key.kind.as_str().split("::").nth(1).is_some_and(|service| service.eq_ignore_ascii_case(&change.service))
}

fn is_of_noun(change: &Changed, row: &ResourceRow) -> bool {
    let noun = row.key.kind.as_str().rsplit("::").next().unwrap_or_default().to_lowercase();
    // `CreateInstanceProfile` ends with the noun; `AttachRolePolicy` holds it behind its verb.
    change.calls.keys().filter_map(|call| call.split_once(':')).any(|(_, name)| {
        let verb = name.chars().skip(1).position(char::is_uppercase).map_or(0, |at| at + 1);
        name.get(verb..).is_some_and(|rest| rest.to_lowercase().starts_with(&noun))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use yagura_lake::investigate::Moment;
    use yagura_model::ResourceKey;

    use super::*;

    fn at(day: u32) -> DateTime<Utc> {
        format!("2026-03-{day:02}T00:00:00Z").parse().unwrap()
    }

    fn row(kind: &str, id: &str, seen: u32, gone: Option<u32>) -> ResourceRow {
        ResourceRow {
            key: ResourceKey {
                kind: kind.into(),
                account: "111122223333".into(),
                region: "us-east-1".into(),
                id: id.to_owned(),
            },
            arn: None,
            name: None,
            version: 1,
            first_seen: at(1),
            last_seen: at(seen),
            gone: gone.map(at),
        }
    }

    fn check(call: &str, name: &str, day: u32, rows: &[ResourceRow], expected: &Fate) {
        let change = Changed {
            name: name.to_owned(),
            names: Vec::new(),
            service: call.split(':').next().unwrap().to_owned(),
            account: "111122223333".to_owned(),
            region: "us-east-1".to_owned(),
            created: Some(Moment(at(day).timestamp_micros())),
            changed: None,
            deleted: None,
            calls: BTreeMap::from([(call.to_owned(), 1)]),
        };
        let mut by_name: HashMap<&str, Vec<&ResourceRow>> = HashMap::new();
        for row in rows {
            by_name.entry(row.key.id.as_str()).or_default().push(row);
        }
        assert_eq!(&fate(&change, &by_name), expected, "{call} {name}");
    }

    #[test]
    fn what_exists_is_told_by_the_ledger_alone() {
        let rows = [
            row("AWS::IAM::Role", "ops", 9, Some(10)),
            row("AWS::IAM::InstanceProfile", "ops", 10, None),
            row("AWS::S3::Bucket", "data", 10, None),
            row("AWS::EC2::Subnet", "subnet-1", 3, None),
        ];
        check("s3:CreateBucket", "data", 5, &rows, &Fate::Exists { seen: at(10) });
        check("iam:CreateRole", "ops", 5, &rows, &Fate::Gone { since: at(10) });
        check("iam:CreateInstanceProfile", "ops", 5, &rows, &Fate::Exists { seen: at(10) });
        check("iam:AttachRolePolicy", "ops", 5, &rows, &Fate::Gone { since: at(10) });
        // The scan was before the event: it says nothing of it.
        check("ec2:CreateSubnet", "subnet-1", 5, &rows, &Fate::NotSince { seen: at(3) });
        check("ec2:CreateVpc", "vpc-1", 5, &rows, &Fate::Unknown);
    }
}
