//! All that is known of one or more accounts at one moment, indexed for rules.

use std::collections::HashMap;
use std::sync::Arc;

use crate::ids::{AccountId, Region, ResourceType};
use crate::observation::{CouldNotLook, Observation, Seen};
use crate::resource::Resource;

/// Whether the resources of a type in a place are all known.
#[derive(Debug, Clone, PartialEq)]
pub enum Listing {
    /// All of them are in the inventory.
    Complete,
    /// None could be listed, for this reason.
    Unread(CouldNotLook),
}

/// Resources and listings of one scan, template or moment in the ledger.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    resources: Vec<Arc<Resource>>,
    by_type: HashMap<ResourceType, Vec<usize>>,
    by_name: HashMap<String, Vec<usize>>,
    naming: HashMap<String, Vec<usize>>,
    listings: HashMap<(ResourceType, AccountId, Region), Listing>,
    disabled_regions: Vec<(AccountId, Region)>,
}

impl Inventory {
    /// The inventory that these observations amount to; a later one of the same thing stands beside the earlier, so
    /// give each thing once.
    pub fn from_observations(observations: impl IntoIterator<Item = Observation>) -> Self {
        let mut inventory = Self::default();
        for observation in observations {
            inventory.add(observation.seen);
        }
        inventory
    }

    /// Adds what one observation said.
    pub fn add(&mut self, seen: Seen) {
        match seen {
            Seen::Resource(resource) => self.insert(*resource),
            Seen::Listed { kind, account, region } => {
                self.listings.insert((kind, account, region), Listing::Complete);
            }
            Seen::Unlisted { kind, account, region, cause } => {
                self.listings.insert((kind, account, region), Listing::Unread(cause));
            }
            Seen::RegionDisabled { account, region } => self.disabled_regions.push((account, region)),
        }
    }

    fn insert(&mut self, resource: Resource) {
        let index = self.resources.len();
        self.by_type.entry(resource.kind.clone()).or_default().push(index);
        self.by_name.entry(resource.id.clone()).or_default().push(index);
        if let Some(arn) = &resource.arn
            && arn.as_str() != resource.id
        {
            self.by_name.entry(arn.as_str().to_owned()).or_default().push(index);
        }
        for relation in &resource.relations {
            let naming = self.naming.entry(relation.id.clone()).or_default();
            if naming.last() != Some(&index) {
                naming.push(index);
            }
        }
        self.resources.push(Arc::new(resource));
    }

    /// Every resource, in the order given.
    pub fn resources(&self) -> &[Arc<Resource>] {
        &self.resources
    }

    /// Every resource of one type.
    pub fn of_type<'a>(&'a self, kind: &ResourceType) -> impl Iterator<Item = &'a Arc<Resource>> + use<'a> {
        self.at(self.by_type.get(kind))
    }

    /// The resources whose id or ARN is `name`.
    pub fn named<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Arc<Resource>> + use<'a> {
        self.at(self.by_name.get(name))
    }

    /// The resources of `kind` that `resource` names, and those that name it, within its account.
    pub fn related(&self, resource: &Resource, kind: &ResourceType) -> Vec<&Arc<Resource>> {
        let mut indices: Vec<usize> = Vec::new();
        for relation in resource.relations.iter().filter(|relation| relation.kind == *kind) {
            indices.extend(self.by_name.get(&relation.id).into_iter().flatten());
        }
        for name in [Some(resource.id.as_str()), resource.arn.as_ref().map(crate::Arn::as_str)].into_iter().flatten() {
            for &index in self.naming.get(name).into_iter().flatten() {
                let names_it = self.resources.get(index).is_some_and(|other| {
                    other.relations.iter().any(|relation| relation.kind == resource.kind && relation.id == name)
                });
                if names_it {
                    indices.push(index);
                }
            }
        }
        indices.sort_unstable();
        indices.dedup();
        indices
            .into_iter()
            .filter_map(|index| self.resources.get(index))
            .filter(|other| other.kind == *kind && other.account == resource.account)
            .collect()
    }

    /// Whether the resources of `kind` in one place are all known; `None` where nobody asked.
    pub fn listing(&self, kind: &ResourceType, account: &AccountId, region: &Region) -> Option<&Listing> {
        self.listings.get(&(kind.clone(), account.clone(), region.clone()))
    }

    /// Every listing, as type, account, region and outcome.
    pub fn listings(&self) -> impl Iterator<Item = (&ResourceType, &AccountId, &Region, &Listing)> {
        self.listings.iter().map(|((kind, account, region), listing)| (kind, account, region, listing))
    }

    /// Regions that the accounts have not enabled, left out of the scan.
    pub fn disabled_regions(&self) -> &[(AccountId, Region)] {
        &self.disabled_regions
    }

    fn at<'a>(&'a self, indices: Option<&'a Vec<usize>>) -> impl Iterator<Item = &'a Arc<Resource>> + use<'a> {
        indices.into_iter().flatten().filter_map(|&index| self.resources.get(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::Relation;

    fn resource(kind: &str, id: &str, relations: &[(&str, &str)]) -> Seen {
        Seen::Resource(Box::new(Resource {
            kind: kind.into(),
            account: "111122223333".into(),
            region: "us-east-1".into(),
            id: id.to_owned(),
            arn: None,
            name: None,
            properties: serde_json::Map::new(),
            attributes: serde_json::Map::new(),
            tags: std::collections::BTreeMap::new(),
            relations: relations
                .iter()
                .map(|(kind, id)| Relation { kind: (*kind).into(), id: (*id).to_owned() })
                .collect(),
            unread: Vec::new(),
        }))
    }

    #[test]
    fn a_relation_is_followed_from_both_ends() {
        let mut inventory = Inventory::default();
        inventory.add(resource("AWS::EC2::VPC", "vpc-1", &[]));
        inventory.add(resource("AWS::EC2::FlowLog", "fl-1", &[("AWS::EC2::VPC", "vpc-1")]));
        inventory.add(resource("AWS::EC2::Subnet", "fl-2", &[("AWS::EC2::Other", "vpc-1")]));
        let ids = |from: &str, kind: &str| -> Vec<String> {
            let from = inventory.named(from).next().unwrap();
            inventory.related(from, &kind.into()).iter().map(|other| other.id.clone()).collect()
        };
        assert_eq!(ids("vpc-1", "AWS::EC2::FlowLog"), ["fl-1"]);
        assert_eq!(ids("fl-1", "AWS::EC2::VPC"), ["vpc-1"]);
        assert_eq!(ids("vpc-1", "AWS::EC2::Subnet"), Vec::<String>::new());
    }
}
