//! A policy document as far as it can be understood. What is of the wrong shape is left out here and found by
//! [`super::structure`].

use std::borrow::Cow;

use super::PolicyKind;
use crate::json::{Member, Node, Value};
use crate::policy::Operator;

/// A document.
pub(super) struct Document<'t> {
    pub(super) root: &'t Node<'t>,
    pub(super) version: Option<&'t Member<'t>>,
    pub(super) statements: Vec<Statement<'t>>,
}

/// A statement.
#[derive(Default)]
pub(super) struct Statement<'t> {
    pub(super) node: Option<&'t Node<'t>>,
    pub(super) sid: Option<&'t Member<'t>>,
    pub(super) effect: Option<&'t Member<'t>>,
    pub(super) principal: Option<&'t Member<'t>>,
    pub(super) not_principal: Option<&'t Member<'t>>,
    pub(super) action: Option<&'t Member<'t>>,
    pub(super) not_action: Option<&'t Member<'t>>,
    pub(super) resource: Option<&'t Member<'t>>,
    pub(super) not_resource: Option<&'t Member<'t>>,
    pub(super) condition: Option<&'t Member<'t>>,
    /// The texts of `Action`, then those of `NotAction`.
    pub(super) actions: Vec<Item<'t>>,
    /// The texts of `Resource`, then those of `NotResource`.
    pub(super) resources: Vec<Item<'t>>,
    /// The texts of `Principal`, then those of `NotPrincipal`.
    pub(super) principals: Vec<Principal<'t>>,
    /// Every key of every operator.
    pub(super) conditions: Vec<Condition<'t>>,
}

/// A text in a list.
pub(super) struct Item<'t> {
    pub(super) text: &'t str,
    /// In lower case.
    pub(super) lower: Cow<'t, str>,
    pub(super) node: &'t Node<'t>,
    /// Whether it stands in the element that begins with `Not`.
    pub(super) negated: bool,
}

/// One principal. A `*` that stands alone has no key.
pub(super) struct Principal<'t> {
    pub(super) key: Option<&'t str>,
    pub(super) text: &'t str,
    pub(super) node: &'t Node<'t>,
    pub(super) negated: bool,
}

/// One key under one operator.
pub(super) struct Condition<'t> {
    /// The operator, where it is one.
    pub(super) operator: Option<Operator>,
    pub(super) block: &'t Member<'t>,
    pub(super) member: &'t Member<'t>,
    /// The key in lower case.
    pub(super) key: Cow<'t, str>,
    /// The values; one that stands alone is a list of one.
    pub(super) values: &'t [Node<'t>],
}

impl<'t> Document<'t> {
    pub(super) fn of(root: &'t Node<'t>) -> Self {
        let mut statements = Vec::new();
        match root.get("Statement").map(|member| &member.node) {
            Some(Node { value: Value::Array(items), .. }) => statements.extend(items.iter().filter_map(Statement::of)),
            Some(node) => statements.extend(Statement::of(node)),
            None => {}
        }
        Self { root, version: root.get("Version"), statements }
    }

    /// Only a policy of a resource names principals; one that speaks of nothing but sessions is a role's.
    pub(super) fn likely_kind(&self) -> PolicyKind {
        if !self.statements.iter().any(|statement| statement.principal.or(statement.not_principal).is_some()) {
            return PolicyKind::Identity;
        }
        let mut actions = self.statements.iter().flat_map(|statement| &statement.actions).peekable();
        let of_role = actions.peek().is_some() && actions.all(|action| action.lower.starts_with("sts:"));
        if of_role { PolicyKind::Trust } else { PolicyKind::Resource }
    }

    /// Whether the document is written in the language that has variables; unknown where its version is no version.
    pub(super) fn has_variables(&self) -> Option<bool> {
        match self.version {
            None => Some(false),
            Some(version) => match version.node.as_str() {
                Some("2012-10-17") => Some(true),
                Some("2008-10-17") => Some(false),
                _ => None,
            },
        }
    }
}

impl<'t> Statement<'t> {
    fn of(node: &'t Node<'t>) -> Option<Self> {
        let members = node.as_object()?;
        let mut statement = Self { node: Some(node), ..Self::default() };
        for member in members {
            let element = match member.name.as_ref() {
                "Sid" => &mut statement.sid,
                "Effect" => &mut statement.effect,
                "Principal" => &mut statement.principal,
                "NotPrincipal" => &mut statement.not_principal,
                "Action" => &mut statement.action,
                "NotAction" => &mut statement.not_action,
                "Resource" => &mut statement.resource,
                "NotResource" => &mut statement.not_resource,
                "Condition" => &mut statement.condition,
                _ => continue,
            };
            *element = Some(member);
        }
        for (member, negated) in [(statement.action, false), (statement.not_action, true)] {
            items(member, negated, &mut statement.actions);
        }
        for (member, negated) in [(statement.resource, false), (statement.not_resource, true)] {
            items(member, negated, &mut statement.resources);
        }
        for (member, negated) in [(statement.principal, false), (statement.not_principal, true)] {
            principals(member, negated, &mut statement.principals);
        }
        if let Some(member) = statement.condition {
            conditions(&member.node, &mut statement.conditions);
        }
        Some(statement)
    }

    /// The byte offset where the statement begins.
    pub(super) fn start(&self) -> usize {
        self.node.map_or(0, |node| node.start)
    }

    pub(super) fn is(&self, effect: &str) -> bool {
        self.effect.is_some_and(|member| member.node.as_str() == Some(effect))
    }

    pub(super) fn allows(&self) -> bool {
        self.is("Allow")
    }

    pub(super) fn denies(&self) -> bool {
        self.is("Deny")
    }

    /// Whether some condition has one of these keys, which are in lower case.
    pub(super) fn has_key(&self, keys: &[&str]) -> bool {
        self.conditions.iter().any(|condition| keys.contains(&condition.key.as_ref()))
    }
}

impl Condition<'_> {
    /// The texts among the values.
    pub(super) fn texts(&self) -> impl Iterator<Item = (&str, &Node<'_>)> {
        self.values.iter().filter_map(|node| node.as_str().map(|text| (text, node)))
    }

    /// The key as written.
    pub(super) fn name(&self) -> &str {
        &self.member.name
    }
}

pub(super) fn lower(text: &str) -> Cow<'_, str> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) { text.to_ascii_lowercase().into() } else { text.into() }
}

fn list<'t>(node: &'t Node<'t>) -> &'t [Node<'t>] {
    node.as_array().unwrap_or(std::slice::from_ref(node))
}

fn items<'t>(member: Option<&'t Member<'t>>, negated: bool, into: &mut Vec<Item<'t>>) {
    let Some(member) = member else { return };
    for node in list(&member.node) {
        if let Some(text) = node.as_str() {
            into.push(Item { text, lower: lower(text), node, negated });
        }
    }
}

fn principals<'t>(member: Option<&'t Member<'t>>, negated: bool, into: &mut Vec<Principal<'t>>) {
    let Some(member) = member else { return };
    if let Some(text) = member.node.as_str() {
        into.push(Principal { key: None, text, node: &member.node, negated });
    }
    for member in member.node.as_object().unwrap_or_default() {
        for node in list(&member.node) {
            if let Some(text) = node.as_str() {
                into.push(Principal { key: Some(&member.name), text, node, negated });
            }
        }
    }
}

fn conditions<'t>(node: &'t Node<'t>, into: &mut Vec<Condition<'t>>) {
    for block in node.as_object().unwrap_or_default() {
        let operator = Operator::parse(&block.name);
        for member in block.node.as_object().unwrap_or_default() {
            into.push(Condition { operator, block, member, key: lower(&member.name), values: list(&member.node) });
        }
    }
}
