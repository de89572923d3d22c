//! Shapes: the types of inputs, outputs and errors, kept in one arena per service and named by index.

use serde::{Deserialize, Serialize};

/// The place of a shape in its service's arena. An id means nothing in another service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ShapeId(pub u32);

/// One type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shape {
    /// The model's name of the type (`Bucket`, `__string`).
    pub name: Box<str>,
    /// What it is made of.
    pub kind: Kind,
    /// The value must not be logged or kept.
    #[serde(default, skip_serializing_if = "is_false")]
    pub sensitive: bool,
    /// The code that an error shape has on the wire, where it is not `name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<Box<str>>,
    /// The HTTP status that an error shape is sent with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_status: Option<u16>,
}

/// What a shape is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Text.
    String,
    /// True or false.
    Boolean,
    /// A whole number of up to 32 bits.
    Integer,
    /// A whole number of up to 64 bits.
    Long,
    /// A number of single precision.
    Float,
    /// A number of double precision.
    Double,
    /// Bytes; base64 text in our JSON.
    Blob,
    /// A moment; RFC 3339 text in our JSON.
    Timestamp,
    /// Any JSON value, passed through as it is.
    Document,
    /// A sequence of one type.
    List {
        /// The type of the elements.
        member: Box<Reference>,
    },
    /// Text keys to values of one type.
    Map {
        /// The type of the keys; text by its nature.
        key: Box<Reference>,
        /// The type of the values.
        value: Box<Reference>,
    },
    /// Named members.
    Structure {
        /// In the order of the model.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        members: Vec<Member>,
        /// The member that is the whole body in the REST protocols.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        payload: Option<Box<str>>,
        /// At most one member is set.
        #[serde(default, skip_serializing_if = "is_false")]
        union: bool,
        /// The members are the events of a stream.
        #[serde(default, skip_serializing_if = "is_false")]
        event_stream: bool,
    },
}

/// A named part of a structure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// The member's name in the model and in our JSON.
    pub name: Box<str>,
    /// Its type, and how it is written here.
    pub target: Reference,
    /// A request without it is refused.
    #[serde(default, skip_serializing_if = "is_false")]
    pub required: bool,
}

/// The use of a shape at one place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    /// The type.
    pub shape: ShapeId,
    /// How it is written at this place.
    #[serde(default, skip_serializing_if = "Traits::is_plain")]
    pub traits: Traits,
}

/// How a value is written on the wire: what the place says, else what the shape itself says.
#[expect(clippy::struct_excessive_bools, reason = "each is a trait of the published models, independent of the others")]
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Traits {
    /// The part of the message that holds it; the body where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// Its name on the wire where it is not the member's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location_name: Option<Box<str>>,
    /// The name in requests of the EC2 protocol, before `location_name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query_name: Option<Box<str>>,
    /// The namespace declared on its XML element.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xml_namespace: Option<Box<XmlNamespace>>,
    /// How a moment is written, where it is not the protocol's way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_format: Option<TimestampFormat>,
    /// The parameter of the endpoint rules that takes this member's value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_param: Option<Box<str>>,
    /// A list or map without an element around its entries.
    #[serde(default, skip_serializing_if = "is_false")]
    pub flattened: bool,
    /// Written as an attribute of the parent's element.
    #[serde(default, skip_serializing_if = "is_false")]
    pub xml_attribute: bool,
    /// Text that holds JSON.
    #[serde(default, skip_serializing_if = "is_false")]
    pub json_value: bool,
    /// A body of unknown length.
    #[serde(default, skip_serializing_if = "is_false")]
    pub streaming: bool,
    /// Filled with a fresh token where the caller gave none.
    #[serde(default, skip_serializing_if = "is_false")]
    pub idempotency_token: bool,
    /// Part of the host name; see [`Operation::host_prefix`](super::Operation::host_prefix).
    #[serde(default, skip_serializing_if = "is_false")]
    pub host_label: bool,
    /// Absence differs from the zero value.
    #[serde(default, rename = "box", skip_serializing_if = "is_false")]
    pub boxed: bool,
}

/// The part of a message that holds a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Location {
    /// A label of the request's path.
    Uri,
    /// The query string.
    Querystring,
    /// One header.
    Header,
    /// All headers with a prefix.
    Headers,
    /// The status of the answer.
    StatusCode,
}

/// An XML namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct XmlNamespace {
    /// Its address.
    pub uri: Box<str>,
    /// The prefix it is declared with; the default namespace where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<Box<str>>,
}

/// How a moment is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TimestampFormat {
    /// `2014-04-29T18:30:38Z`.
    #[serde(rename = "iso8601")]
    Iso8601,
    /// `Tue, 29 Apr 2014 18:30:38 GMT`.
    #[serde(rename = "rfc822")]
    Rfc822,
    /// Seconds since 1970.
    #[serde(rename = "unixTimestamp")]
    UnixTimestamp,
}

impl Traits {
    /// In the body of an answer: labels and queries are places of requests only.
    pub fn is_in_answer_body(&self) -> bool {
        !matches!(self.location, Some(Location::Header | Location::Headers | Location::StatusCode))
    }

    /// Written as the protocol writes it, under its own name.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

impl Shape {
    /// The members of a structure; none for any other kind.
    pub fn members(&self) -> &[Member] {
        match &self.kind {
            Kind::Structure { members, .. } => members,
            _ => &[],
        }
    }

    /// The member of a structure with this name.
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.members().iter().find(|member| &*member.name == name)
    }

    /// The structure's member that is the whole body.
    pub fn payload(&self) -> Option<&Member> {
        match &self.kind {
            Kind::Structure { payload: Some(payload), .. } => self.member(payload),
            _ => None,
        }
    }

    /// The code of an error shape as it is seen on the wire.
    pub fn code(&self) -> &str {
        self.error_code.as_deref().unwrap_or(&self.name)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
pub(super) fn is_false(flag: &bool) -> bool {
    !flag
}
