//! What a template declares beside a resource and AWS shows as a part of it: the one table.

/// A type whose resources belong to a resource of another type.
#[derive(Debug)]
pub(super) struct Join {
    /// The type that is declared beside.
    pub(super) child: &'static str,
    /// Its property with the resource, or the list of resources, that it belongs to.
    pub(super) names: &'static str,
    /// The type that it belongs to.
    pub(super) parent: &'static str,
    /// The property of that type with the name that a template may give, where there is one. A resource whose name AWS
    /// makes up can be named only by a reference.
    pub(super) called: Option<&'static str>,
    /// Where it belongs: section and key.
    pub(super) into: (Section, &'static str),
    /// As what.
    pub(super) shape: Shape,
    /// What is there where nothing is declared, as the type's file gives it for a live resource.
    pub(super) none: Nothing,
}

/// A section of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Properties,
    Attributes,
}

impl Section {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Properties => "Properties",
            Self::Attributes => "Attributes",
        }
    }
}

/// What is made of the child.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// One of its properties (a path).
    Value(&'static str),
    /// True, because it is there.
    True,
    /// One of its properties, a policy whose statements are added.
    Policy(&'static str),
    /// A statement of a policy, made of a permission.
    Permission,
    /// An element of a list: these of its properties.
    Some(&'static [&'static str]),
    /// An element of a list: its properties but these.
    AllBut(&'static [&'static str]),
    /// An element of a list: one of its properties.
    Element(&'static str),
    /// An element of a list: its ARN.
    Arn,
}

/// What is there without any child.
#[derive(Debug, Clone, Copy)]
pub(super) enum Nothing {
    Absent,
    EmptyList,
    EmptyText,
    False,
}

use Nothing::{Absent, EmptyList, EmptyText, False};
use Section::{Attributes, Properties};

const fn join(
    (child, names): (&'static str, &'static str),
    (parent, called): (&'static str, Option<&'static str>),
    into: (Section, &'static str),
    shape: Shape,
    none: Nothing,
) -> Join {
    Join { child, names, parent, called, into, shape, none }
}

const BUCKET: (&str, Option<&str>) = ("AWS::S3::Bucket", Some("BucketName"));
const QUEUE: (&str, Option<&str>) = ("AWS::SQS::Queue", Some("QueueName"));
const TOPIC: (&str, Option<&str>) = ("AWS::SNS::Topic", Some("TopicName"));
const FUNCTION: (&str, Option<&str>) = ("AWS::Lambda::Function", Some("FunctionName"));
const SECRET: (&str, Option<&str>) = ("AWS::SecretsManager::Secret", Some("Name"));
const ROLE: (&str, Option<&str>) = ("AWS::IAM::Role", Some("RoleName"));
const USER: (&str, Option<&str>) = ("AWS::IAM::User", Some("UserName"));
const GROUP: (&str, Option<&str>) = ("AWS::IAM::Group", Some("GroupName"));
const SECURITY_GROUP: (&str, Option<&str>) = ("AWS::EC2::SecurityGroup", None);
const NETWORK_ACL: (&str, Option<&str>) = ("AWS::EC2::NetworkAcl", None);
const WEB_ACL_ASSOCIATION: (&str, &str) = ("AWS::WAFv2::WebACLAssociation", "ResourceArn");
const INLINE: Shape = Shape::Some(&["PolicyName", "PolicyDocument"]);

const POLICY: (Section, &str) = (Attributes, "Policy");
const POLICIES: (Section, &str) = (Properties, "Policies");
const MANAGED: (Section, &str) = (Properties, "ManagedPolicyArns");

/// Every join. Routes are none of them: rules tell the kind of a gateway by its id, which a template has not.
pub(super) const JOINS: [Join; 32] = [
    join(("AWS::S3::BucketPolicy", "Bucket"), BUCKET, POLICY, Shape::Policy("PolicyDocument"), Absent),
    join(("AWS::SQS::QueuePolicy", "Queues"), QUEUE, POLICY, Shape::Policy("PolicyDocument"), Absent),
    join(("AWS::SQS::QueueInlinePolicy", "Queue"), QUEUE, POLICY, Shape::Policy("PolicyDocument"), Absent),
    join(("AWS::SNS::TopicPolicy", "Topics"), TOPIC, POLICY, Shape::Policy("PolicyDocument"), Absent),
    join(("AWS::SNS::TopicInlinePolicy", "TopicArn"), TOPIC, POLICY, Shape::Policy("PolicyDocument"), Absent),
    join(("AWS::Lambda::Permission", "FunctionName"), FUNCTION, POLICY, Shape::Permission, Absent),
    join(("AWS::SecretsManager::ResourcePolicy", "SecretId"), SECRET, POLICY, Shape::Policy("ResourcePolicy"), Absent),
    join(
        ("AWS::SecretsManager::RotationSchedule", "SecretId"),
        SECRET,
        (Attributes, "RotationEnabled"),
        Shape::True,
        False,
    ),
    join(
        ("AWS::SecretsManager::RotationSchedule", "SecretId"),
        SECRET,
        (Attributes, "RotationRules"),
        Shape::Value("RotationRules"),
        Absent,
    ),
    join(("AWS::IAM::Policy", "Roles"), ROLE, POLICIES, INLINE, Absent),
    join(("AWS::IAM::Policy", "Users"), USER, POLICIES, INLINE, Absent),
    join(("AWS::IAM::Policy", "Groups"), GROUP, POLICIES, INLINE, Absent),
    join(("AWS::IAM::RolePolicy", "RoleName"), ROLE, POLICIES, INLINE, Absent),
    join(("AWS::IAM::UserPolicy", "UserName"), USER, POLICIES, INLINE, Absent),
    join(("AWS::IAM::GroupPolicy", "GroupName"), GROUP, POLICIES, INLINE, Absent),
    join(("AWS::IAM::ManagedPolicy", "Roles"), ROLE, MANAGED, Shape::Arn, Absent),
    join(("AWS::IAM::ManagedPolicy", "Users"), USER, MANAGED, Shape::Arn, Absent),
    join(("AWS::IAM::ManagedPolicy", "Groups"), GROUP, MANAGED, Shape::Arn, Absent),
    join(("AWS::IAM::UserToGroupAddition", "Users"), USER, (Properties, "Groups"), Shape::Element("GroupName"), Absent),
    join(
        ("AWS::EC2::SecurityGroupIngress", "GroupId"),
        SECURITY_GROUP,
        (Properties, "SecurityGroupIngress"),
        Shape::AllBut(&["GroupId", "GroupName"]),
        Absent,
    ),
    join(
        ("AWS::EC2::SecurityGroupIngress", "GroupName"),
        ("AWS::EC2::SecurityGroup", Some("GroupName")),
        (Properties, "SecurityGroupIngress"),
        Shape::AllBut(&["GroupId", "GroupName"]),
        Absent,
    ),
    join(
        ("AWS::EC2::SecurityGroupEgress", "GroupId"),
        SECURITY_GROUP,
        (Properties, "SecurityGroupEgress"),
        Shape::AllBut(&["GroupId"]),
        Absent,
    ),
    join(
        ("AWS::EC2::NetworkAclEntry", "NetworkAclId"),
        NETWORK_ACL,
        (Attributes, "Entries"),
        Shape::AllBut(&["NetworkAclId"]),
        EmptyList,
    ),
    join(
        ("AWS::EC2::SubnetNetworkAclAssociation", "NetworkAclId"),
        NETWORK_ACL,
        (Attributes, "Subnets"),
        Shape::Element("SubnetId"),
        EmptyList,
    ),
    join(
        ("AWS::EC2::SubnetRouteTableAssociation", "RouteTableId"),
        ("AWS::EC2::RouteTable", None),
        (Attributes, "Subnets"),
        Shape::Element("SubnetId"),
        EmptyList,
    ),
    join(
        ("AWS::EC2::VPCGatewayAttachment", "InternetGatewayId"),
        ("AWS::EC2::InternetGateway", None),
        (Attributes, "Attachments"),
        Shape::Some(&["VpcId"]),
        EmptyList,
    ),
    join(
        ("AWS::KMS::Alias", "TargetKeyId"),
        ("AWS::KMS::Key", None),
        (Attributes, "Aliases"),
        Shape::Element("AliasName"),
        EmptyList,
    ),
    join(
        ("AWS::WAFv2::LoggingConfiguration", "ResourceArn"),
        ("AWS::WAFv2::WebACL", None),
        (Attributes, "LogDestinations"),
        Shape::Value("LogDestinationConfigs"),
        Absent,
    ),
    join(
        WEB_ACL_ASSOCIATION,
        ("AWS::ElasticLoadBalancingV2::LoadBalancer", None),
        (Attributes, "WebACLArn"),
        Shape::Value("WebACLArn"),
        Absent,
    ),
    join(
        WEB_ACL_ASSOCIATION,
        ("AWS::ApiGateway::Stage", Some("StageName")),
        (Attributes, "WebAclArn"),
        Shape::Value("WebACLArn"),
        EmptyText,
    ),
    join(
        WEB_ACL_ASSOCIATION,
        ("AWS::AppSync::GraphQLApi", None),
        (Attributes, "WafWebAclArn"),
        Shape::Value("WebACLArn"),
        EmptyText,
    ),
    join(
        ("AWS::NetworkFirewall::LoggingConfiguration", "FirewallArn"),
        ("AWS::NetworkFirewall::Firewall", None),
        (Attributes, "LogDestinationConfigs"),
        Shape::Value("LoggingConfiguration.LogDestinationConfigs"),
        EmptyList,
    ),
];

/// Types of which a template that has the first declares all that matter to it: (the first, the other).
pub(super) const BESIDE: [(&str, &str); 6] = [
    ("AWS::EC2::VPC", "AWS::EC2::FlowLog"),
    ("AWS::EC2::Subnet", "AWS::EC2::FlowLog"),
    ("AWS::EC2::NetworkInterface", "AWS::EC2::FlowLog"),
    ("AWS::ElasticLoadBalancingV2::LoadBalancer", "AWS::ElasticLoadBalancingV2::Listener"),
    ("AWS::ApiGateway::RestApi", "AWS::ApiGateway::Stage"),
    ("AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Stage"),
];
