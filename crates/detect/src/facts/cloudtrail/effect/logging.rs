//! What CloudTrail records less of.

use sonic_rs::{JsonValueTrait, Value};

use super::{Call, Effects};
use crate::facts::cloudtrail::json;

/// A trail that covers less than it could, or whose files can be changed unseen.
pub(super) fn trail(call: &Call<'_>, effects: &mut Effects) {
    let is_off = |key: &str| json::truth(call.parameters, &[key]) == Some(false);
    let is_cut_off = |key: &str| json::at(call.parameters, &[key]).and_then(Value::as_str) == Some("");
    let covers_less =
        ["isMultiRegionTrail", "includeGlobalServiceEvents", "isOrganizationTrail", "enableLogFileValidation"]
            .into_iter()
            // A trail that is no organisation's says so in every update; that is news only where it stands alone.
            .any(|key| {
                is_off(key)
                    && (key != "isOrganizationTrail" || json::at(call.parameters, &["isMultiRegionTrail"]).is_none())
            });
    if covers_less || is_cut_off("cloudWatchLogsLogGroupArn") {
        effects.found.insert("logging-weakened");
    }
}

/// Selectors that leave out management events, or their reads or writes.
///
/// Leaving out the many calls of KMS or of the RDS data API is what AWS itself advises to save cost, and no weakening.
pub(super) fn selectors(call: &Call<'_>, effects: &mut Effects) {
    let basic = json::at(call.parameters, &["eventSelectors"]);
    let advanced = json::at(call.parameters, &["advancedEventSelectors"]);
    if basic.is_none() && advanced.is_none() {
        return;
    }
    let is_whole = json::items(basic).into_iter().any(is_whole_basic) || is_whole_advanced(&json::items(advanced));
    if !is_whole {
        effects.found.insert("logging-weakened");
    }
}

fn is_whole_basic(selector: &Value) -> bool {
    let reads_and_writes = json::text(selector, &["readWriteType"]).is_none_or(|kind| kind == "All");
    json::truth(selector, &["includeManagementEvents"]) != Some(false) && reads_and_writes
}

/// Whether advanced selectors together pick management events, reads and writes.
fn is_whole_advanced(selectors: &[&Value]) -> bool {
    let mut covers = (false, false);
    for selector in selectors {
        let fields = json::list(selector, &["fieldSelectors"]);
        let equals = |name: &str| {
            let field = fields.iter().find(|field| json::text(field, &["field"]) == Some(name))?;
            json::list(field, &["equals"]).into_iter().next()?.as_str()
        };
        if equals("eventCategory") != Some("Management") {
            continue;
        }
        match equals("readOnly") {
            Some("true") => covers.0 = true,
            Some("false") => covers.1 = true,
            _ => covers = (true, true),
        }
    }
    covers == (true, true)
}
