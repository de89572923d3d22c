//! Views: other shapes of the tables, as SQL over them.

/// The views, each after those it is made of.
pub(crate) const VIEWS: &[(&str, &str)] = &[("cloudtrail_ocsf", include_str!("cloudtrail/ocsf.sql"))];
