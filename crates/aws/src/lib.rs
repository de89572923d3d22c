//! The AWS wire, driven by published service models instead of a crate per service.
//!
//! In: the name of a service and an operation with its input as JSON, credentials, a region. Out: a request on the wire,
//! and the answer as JSON again. The models are data (`models/models.bin.zst`, made by `cargo xtask models`): a service is
//! decoded only when it is asked for.
//! Never here: which resources Yagura records, how they are judged, where they are kept; the clock and the environment,
//! which are passed in.

pub mod client;
pub mod credentials;
pub mod endpoint;
pub mod model;
pub mod protocol;
