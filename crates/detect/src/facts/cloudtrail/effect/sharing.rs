//! Images, snapshots, keys and functions that are opened to others.

use sonic_rs::{JsonValueTrait, Value};

use super::{Call, Effects};
use crate::facts::cloudtrail::json;

/// Who may launch an image.
pub(super) fn image(call: &Call<'_>, effects: &mut Effects) {
    added(call, json::at(call.parameters, &["launchPermission", "add"]), effects);
    added(call, json::at(call.parameters, &["loadPermission", "add"]), effects);
}

/// Who may make volumes of a snapshot.
pub(super) fn snapshot(call: &Call<'_>, effects: &mut Effects) {
    added(call, json::at(call.parameters, &["createVolumePermission", "add"]), effects);
}

fn added(call: &Call<'_>, permissions: Option<&Value>, effects: &mut Effects) {
    for permission in json::items(permissions) {
        for key in ["group", "userId"] {
            if let Some(who) = json::text(permission, &[key]) {
                call.let_in(who, effects);
            }
        }
    }
}

/// Who may restore a snapshot of a database.
pub(super) fn database_snapshot(call: &Call<'_>, effects: &mut Effects) {
    each(call, &["valuesToAdd"], effects);
}

/// Who may restore a snapshot of a Redshift cluster.
pub(super) fn warehouse_snapshot(call: &Call<'_>, effects: &mut Effects) {
    each(call, &["accountWithRestoreAccess"], effects);
}

/// Who may run a document of Systems Manager.
pub(super) fn document(call: &Call<'_>, effects: &mut Effects) {
    each(call, &["accountIdsToAdd"], effects);
}

/// Who may use a queue or a topic.
pub(super) fn queue_permission(call: &Call<'_>, effects: &mut Effects) {
    each(call, &["aWSAccountIds"], effects);
    each(call, &["aWSAccountId"], effects);
}

fn each(call: &Call<'_>, path: &[&str], effects: &mut Effects) {
    for who in json::list(call.parameters, path) {
        if let Some(who) = who.as_str() {
            call.let_in(who, effects);
        }
    }
}

/// Who may use a key.
pub(super) fn key_grant(call: &Call<'_>, effects: &mut Effects) {
    for key in ["granteePrincipal", "retiringPrincipal"] {
        if let Some(who) = json::text(call.parameters, &[key]) {
            call.let_in(who, effects);
        }
    }
}

/// Who may send events to a bus. A condition names an organisation.
pub(super) fn bus_permission(call: &Call<'_>, effects: &mut Effects) {
    if json::at(call.parameters, &["condition"]).is_some() {
        return;
    }
    match json::text(call.parameters, &["principal"]) {
        Some(who) => call.let_in(who, effects),
        None => super::policy::of_resource(call, json::at(call.parameters, &["policy"]), effects),
    }
}

/// Who may call a function or use a layer. `*` with an organisation or a source is not everybody.
pub(super) fn function(call: &Call<'_>, effects: &mut Effects) {
    let text = |key: &str| json::text(call.parameters, &[key]);
    let Some(who) = text("principal") else { return };
    if text("principalOrgID").or_else(|| text("organizationId")).is_some() {
        return;
    }
    if let Some(source) = text("sourceAccount").or_else(|| text("sourceArn")) {
        return call.let_in(source.trim_matches('*'), effects);
    }
    if who == "*" && text("functionUrlAuthType") == Some("AWS_IAM") {
        effects.found.insert("any-account");
        return;
    }
    if who == "*" || !who.ends_with(".amazonaws.com") {
        call.let_in(who, effects);
    }
}

/// Whether a function gets a URL that asks for no identity.
pub(super) fn function_url(call: &Call<'_>, effects: &mut Effects) {
    if json::text(call.parameters, &["authType"]) == Some("NONE") {
        call.let_in("*", effects);
    }
}
