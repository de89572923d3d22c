//! The tactics of MITRE ATT&CK.

use serde::{Deserialize, Serialize};

/// A tactic, in the order in which attacks go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are ATT&CK's own")]
pub enum Tactic {
    Reconnaissance,
    ResourceDevelopment,
    InitialAccess,
    Execution,
    Persistence,
    PrivilegeEscalation,
    DefenseEvasion,
    CredentialAccess,
    Discovery,
    LateralMovement,
    Collection,
    CommandAndControl,
    Exfiltration,
    Impact,
}

impl Tactic {
    /// Every tactic with its id and its name in tags of Sigma.
    pub const ALL: [(Self, &str, &str); 14] = [
        (Self::Reconnaissance, "TA0043", "reconnaissance"),
        (Self::ResourceDevelopment, "TA0042", "resource-development"),
        (Self::InitialAccess, "TA0001", "initial-access"),
        (Self::Execution, "TA0002", "execution"),
        (Self::Persistence, "TA0003", "persistence"),
        (Self::PrivilegeEscalation, "TA0004", "privilege-escalation"),
        (Self::DefenseEvasion, "TA0005", "defense-evasion"),
        (Self::CredentialAccess, "TA0006", "credential-access"),
        (Self::Discovery, "TA0007", "discovery"),
        (Self::LateralMovement, "TA0008", "lateral-movement"),
        (Self::Collection, "TA0009", "collection"),
        (Self::CommandAndControl, "TA0011", "command-and-control"),
        (Self::Exfiltration, "TA0010", "exfiltration"),
        (Self::Impact, "TA0040", "impact"),
    ];

    /// The tactic of a tag such as `attack.defense_evasion`, `attack.defense-evasion` or `attack.ta0005`.
    pub fn of_tag(tag: &str) -> Option<Self> {
        let name = tag.strip_prefix("attack.")?.replace('_', "-").to_ascii_lowercase();
        Self::ALL
            .iter()
            .find(|(_, id, known)| *known == name || id.eq_ignore_ascii_case(&name))
            .map(|(tactic, ..)| *tactic)
    }

    /// Its name in lower case with hyphens.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(tactic, ..)| *tactic == self).map_or("", |(_, _, name)| name)
    }

    /// ATT&CK's id, as `TA0005`.
    pub fn id(self) -> &'static str {
        Self::ALL.iter().find(|(tactic, ..)| *tactic == self).map_or("", |(_, id, _)| id)
    }
}

/// The technique of a tag such as `attack.t1562.008`, as `T1562.008`.
pub(crate) fn technique_of_tag(tag: &str) -> Option<String> {
    let name = tag.strip_prefix("attack.")?;
    let number = name.strip_prefix(['t', 'T'])?;
    let plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    plain.then(|| format!("T{number}"))
}
