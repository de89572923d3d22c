//! What lies around the judged resource: the other resources, and whether all of them are known.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use chrono::{DateTime, Utc};
use yagura_model::{AccountId, Inventory, Listing, Missing, Region, Resource, ResourceType};

use super::failure::Failure;
use super::place::{Reach, reach};
use crate::tables::Tables;

/// The section that stands for a resource's relations among its unread paths.
const RELATIONS: &str = "Relations";

/// A resource's ARN among its unread paths.
const ARN: &str = "Arn";

/// An inventory at one time, with what was looked up in it before. One for each thread.
pub(crate) struct World<'i> {
    pub(crate) inventory: &'i Inventory,
    pub(crate) tables: &'i Tables,
    pub(crate) now: DateTime<Utc>,
    places: RefCell<Option<Rc<Places<'i>>>>,
    found: RefCell<HashMap<Question, Answer<'i>>>,
    unread_relations: RefCell<HashMap<(ResourceType, AccountId, ResourceType), Option<Failure>>>,
}

/// A type in an account, in one region or in all of them.
type Question = (ResourceType, AccountId, Option<Region>);
type Answer<'i> = Result<Rc<[&'i Resource]>, Failure>;

/// Where what was listed.
#[derive(Default)]
struct Places<'i> {
    regions: HashMap<&'i AccountId, BTreeSet<&'i Region>>,
    listings: HashMap<(&'i ResourceType, &'i AccountId), BTreeMap<&'i Region, &'i Listing>>,
}

impl<'i> World<'i> {
    pub(crate) fn new(inventory: &'i Inventory, tables: &'i Tables, now: DateTime<Utc>) -> Self {
        Self {
            inventory,
            tables,
            now,
            places: RefCell::default(),
            found: RefCell::default(),
            unread_relations: RefCell::default(),
        }
    }

    /// The resources of a type in the subject's account and region; in every region where the subject is global.
    pub(crate) fn resources(&self, subject: &Resource, kind: &ResourceType) -> Answer<'i> {
        if subject.region.is_global() {
            return self.resources_everywhere(&subject.account, kind);
        }
        self.remember((kind.clone(), subject.account.clone(), Some(subject.region.clone())), || {
            self.listed_at(&subject.account, &subject.region, kind)?;
            let here = |other: &&Resource| other.region == subject.region || other.region.is_global();
            Ok(self.of_account(kind, &subject.account).filter(here).collect())
        })
    }

    /// The resources of a type in every region of an account.
    pub(crate) fn resources_everywhere(&self, account: &AccountId, kind: &ResourceType) -> Answer<'i> {
        self.remember((kind.clone(), account.clone(), None), || {
            self.listed_everywhere(account, kind)?;
            Ok(self.of_account(kind, account).collect())
        })
    }

    /// The resources of a type that a resource names, or that name it.
    pub(crate) fn related(&self, resource: &Resource, kind: &ResourceType) -> Answer<'i> {
        let asked = format!("{RELATIONS}.{kind}");
        // A relation names its target by id or by ARN: where either side is unread, one may be there unseen.
        for path in [asked.as_str(), ARN] {
            if let Reach::Unread(unread) | Reach::Partly(unread) = reach(resource, path) {
                return Err(Failure::unread(path.to_owned(), &unread.cause));
            }
        }
        if resource.region.is_global() {
            self.listed_everywhere(&resource.account, kind)?;
        } else {
            self.listed_at(&resource.account, &resource.region, kind)?;
        }
        self.relations_towards(resource, kind)?;
        let named_and_unseen = resource.relations.iter().filter(|relation| relation.kind == *kind).any(|relation| {
            !self.inventory.named(&relation.id).any(|other| other.kind == *kind && other.account == resource.account)
        });
        if named_and_unseen {
            // It may be in another region: only where all of them were listed is it known not to be there.
            self.listed_everywhere(&resource.account, kind)?;
        }
        Ok(self.inventory.related(resource, kind).into_iter().map(|other| &**other).collect())
    }

    fn remember(&self, question: Question, answer: impl FnOnce() -> Answer<'i>) -> Answer<'i> {
        if let Some(known) = self.found.borrow().get(&question) {
            return known.clone();
        }
        let answer = answer();
        self.found.borrow_mut().insert(question, answer.clone());
        answer
    }

    fn of_account<'a>(&self, kind: &ResourceType, account: &'a AccountId) -> impl Iterator<Item = &'i Resource> + 'a
    where
        'i: 'a,
    {
        self.inventory.of_type(kind).map(|resource| &**resource).filter(move |resource| resource.account == *account)
    }

    /// An error unless the type was listed completely in a region, or once for all of them.
    fn listed_at(&self, account: &AccountId, region: &Region, kind: &ResourceType) -> Result<(), Failure> {
        let places = self.places();
        let listings = places.listings.get(&(kind, account));
        let global = Region::global();
        let asked = [listings.and_then(|at| at.get(region)), listings.and_then(|at| at.get(&global))];
        let mut complete = false;
        for listing in asked.into_iter().flatten() {
            match listing {
                Listing::Complete => complete = true,
                Listing::Unread(cause) => return Err(Failure::unread(kind.to_string(), cause)),
            }
        }
        if complete { Ok(()) } else { Err(not_collected(kind, account, region)) }
    }

    /// An error unless the type was listed completely in every region of the account that anything was listed in.
    fn listed_everywhere(&self, account: &AccountId, kind: &ResourceType) -> Result<(), Failure> {
        let places = self.places();
        let Some(listings) = places.listings.get(&(kind, account)) else {
            return Err(not_collected(kind, account, &Region::global()));
        };
        let mut missing = Vec::new();
        for listing in listings.values() {
            if let Listing::Unread(cause) = listing {
                missing.push(Missing::Unread { what: kind.to_string(), cause: cause.clone() });
            }
        }
        if !missing.is_empty() {
            return Err(Failure::new(missing));
        }
        if listings.keys().any(|region| region.is_global()) {
            return Ok(());
        }
        for region in places.regions.get(account).into_iter().flatten() {
            if !listings.contains_key(region) {
                return Err(not_collected(kind, account, region));
            }
        }
        Ok(())
    }

    /// An error where a resource of the type may name resources of this one's type that nobody could read, or may be named
    /// by an ARN that nobody could read.
    fn relations_towards(&self, resource: &Resource, kind: &ResourceType) -> Result<(), Failure> {
        let question = (kind.clone(), resource.account.clone(), resource.kind.clone());
        if let Some(known) = self.unread_relations.borrow().get(&question) {
            return known.clone().map_or(Ok(()), Err);
        }
        let path = format!("{RELATIONS}.{}", resource.kind);
        let lost = self.of_account(kind, &resource.account).find_map(|other| {
            [path.as_str(), ARN].into_iter().find_map(|path| match reach(other, path) {
                Reach::Known => None,
                Reach::Partly(unread) | Reach::Unread(unread) => {
                    Some(Failure::unread(format!("{kind}({}).{path}", other.id), &unread.cause))
                }
            })
        });
        self.unread_relations.borrow_mut().insert(question, lost.clone());
        lost.map_or(Ok(()), Err)
    }

    fn places(&self) -> Rc<Places<'i>> {
        let mut known = self.places.borrow_mut();
        Rc::clone(known.get_or_insert_with(|| {
            let mut places = Places::default();
            for (kind, account, region, listing) in self.inventory.listings() {
                places.listings.entry((kind, account)).or_default().insert(region, listing);
                if !region.is_global() {
                    places.regions.entry(account).or_default().insert(region);
                }
            }
            for (account, region) in self.inventory.disabled_regions() {
                if let Some(regions) = places.regions.get_mut(account) {
                    regions.remove(region);
                }
            }
            Rc::new(places)
        }))
    }
}

fn not_collected(kind: &ResourceType, account: &AccountId, region: &Region) -> Failure {
    Failure::evaluation(format!("`{kind}` was not collected in {account}, {region}"))
}
