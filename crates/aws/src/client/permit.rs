//! Which operations a client may send.

use crate::model::{Operation, Service};

/// An operation that may be sent. Only this module makes one, and the part that sends takes nothing else: a call that
/// was not permitted has no way to the wire.
#[derive(Clone, Copy)]
pub(super) struct Permitted<'a> {
    service: &'a Service,
    operation: &'a Operation,
}

impl<'a> Permitted<'a> {
    /// The permission to send an operation that only reads; `None` for any other.
    pub(super) fn read(service: &'a Service, operation: &'a Operation) -> Option<Self> {
        operation.read_only.then_some(Self { service, operation })
    }

    /// The permission to send any operation; for [`super::WriteClient`] alone.
    pub(super) fn write(service: &'a Service, operation: &'a Operation) -> Self {
        Self { service, operation }
    }

    /// The permission to take a message from a queue, give it back or remove it; `None` for any other operation.
    pub(super) fn consume(service: &'a Service, operation: &'a Operation) -> Option<Self> {
        let is_of_queue = matches!(&*operation.name, "ReceiveMessage" | "ChangeMessageVisibility" | "DeleteMessage");
        (&*service.name == "sqs" && is_of_queue).then_some(Self { service, operation })
    }

    pub(super) fn service(self) -> &'a Service {
        self.service
    }

    pub(super) fn operation(self) -> &'a Operation {
        self.operation
    }
}
