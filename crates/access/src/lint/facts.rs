//! Facts of AWS that no table has: partitions, regions, quotas, and what single condition keys mean.

/// The partitions.
pub(super) const PARTITIONS: &[&str] =
    &["aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc"];

/// The regions of all partitions, from the endpoints that botocore 1.44 knows.
pub(super) const REGIONS: &[&str] = &[
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "cn-north-1",
    "cn-northwest-1",
    "eu-central-1",
    "eu-central-2",
    "eu-isoe-west-1",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eusc-de-east-1",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-iso-east-1",
    "us-iso-west-1",
    "us-isob-east-1",
    "us-isob-west-1",
    "us-isof-east-1",
    "us-isof-south-1",
    "us-west-1",
    "us-west-2",
];

/// What stands for an account in ARNs of what AWS itself owns.
pub(super) const OWNERS: &[&str] = &["aws", "amazon", "aws-marketplace", "cloudfront", "third-party", "aws-managed"];

/// Services whose resources are paths of their API, of which the tables list a part.
pub(super) const FREE_FORM_SERVICES: &[&str] = &["apigateway"];

/// Resources that the published tables leave out: a service, and what names the resource.
pub(super) const MORE_FORMS: &[(&str, &str)] =
    &[("cloudformation", "transform/*"), ("waf", "changetoken/*"), ("waf-regional", "changetoken/*")];

/// Services that publish resources of AWS's own, which have no account.
pub(super) const PUBLISHING_SERVICES: &[&str] = &["resource-explorer-2", "ssm"];

/// Services whose resource policies have no `Resource`: they belong to one.
pub(super) const RESOURCELESS_SERVICES: &[&str] = &["ecr", "ecr-public", "sts"];

/// The services behind the resource types whose policies are judged by type, with the resource types their policies speak
/// of (in the service's own words; all where none is named) and the longest policy in characters.
const RESOURCE_TYPES: &[(&str, &str, &[&str], Option<usize>)] = &[
    ("AWS::S3::Bucket", "s3", &["bucket", "object"], Some(20_480)),
    ("AWS::S3::AccessPoint", "s3", &["accesspoint", "accesspointobject"], Some(20_480)),
    ("AWS::S3::MultiRegionAccessPoint", "s3", &["multiregionaccesspoint"], Some(20_480)),
    ("AWS::S3ObjectLambda::AccessPoint", "s3-object-lambda", &[], Some(20_480)),
    ("AWS::S3Express::DirectoryBucket", "s3express", &[], Some(20_480)),
    ("AWS::DynamoDB::Table", "dynamodb", &["table", "index"], Some(20_480)),
    ("AWS::DynamoDB::Stream", "dynamodb", &["stream"], Some(20_480)),
    ("AWS::SQS::Queue", "sqs", &[], Some(8_192)),
    ("AWS::SNS::Topic", "sns", &[], Some(30_720)),
    ("AWS::KMS::Key", "kms", &[], Some(32_768)),
    ("AWS::Lambda::Function", "lambda", &[], Some(20_480)),
    ("AWS::Lambda::LayerVersion", "lambda", &[], Some(20_480)),
    ("AWS::SecretsManager::Secret", "secretsmanager", &[], Some(20_480)),
    ("AWS::ECR::Repository", "ecr", &[], Some(10_240)),
    ("AWS::EFS::FileSystem", "elasticfilesystem", &[], Some(20_000)),
];

/// The service and the resource types (none: all) that policies of a CloudFormation resource type speak of.
pub(super) fn resource_policy_of(kind: &str) -> Option<(&'static str, &'static [&'static str])> {
    let found = RESOURCE_TYPES.iter().find(|(name, ..)| *name == kind)?;
    Some((found.1, found.2))
}

/// The most characters of a resource's policy, by CloudFormation type, else by the service that its actions are of.
pub(super) fn resource_policy_quota(kind: Option<&str>, service: Option<&str>) -> Option<usize> {
    let found = match kind {
        Some(kind) => RESOURCE_TYPES.iter().find(|(name, ..)| *name == kind),
        None => RESOURCE_TYPES.iter().find(|(_, known, ..)| Some(*known) == service),
    };
    found.and_then(|found| found.3)
}

/// Global keys that are out of use, with what took their place.
pub(super) const DEPRECATED_KEYS: &[(&str, &str)] = &[("aws:sourceowner", "aws:SourceAccount")];

/// Keys whose value the caller writes into the request.
pub(super) const FORGEABLE_KEYS: &[&str] = &["aws:useragent", "aws:referer"];

/// Keys that say in whose name an AWS service calls.
pub(super) const SOURCE_KEYS: &[&str] =
    &["aws:sourcearn", "aws:sourceaccount", "aws:sourceorgid", "aws:sourceorgpaths"];

/// Keys of the caller's own organization or account.
pub(super) const PRINCIPAL_OWNER_KEYS: &[&str] =
    &["aws:principalorgid", "aws:principalorgpaths", "aws:principalaccount"];

/// Keys that a call by a service principal never has: there is no identity in an account behind it.
pub(super) const IDENTITY_KEYS: &[&str] = &[
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:principalaccount",
    "aws:username",
    "aws:multifactorauthpresent",
    "aws:multifactorauthage",
    "aws:federatedprovider",
    "aws:sourceidentity",
];

/// Keys whose value another network or identity may have too, unless its partner is asked for as well.
pub(super) const PAIRED_KEYS: &[(&str, &[&str])] = &[
    ("aws:vpcsourceip", &["aws:sourcevpc", "aws:sourcevpce", "aws:sourcevpcarn"]),
    ("aws:ec2instancesourceprivateipv4", &["aws:ec2instancesourcevpc"]),
];

/// Keys that every request has.
pub(super) const EVER_PRESENT_KEYS: &[&str] =
    &["aws:currenttime", "aws:epochtime", "aws:requestedregion", "aws:securetransport"];

/// Keys that hold whole organizations, accounts, networks or sessions apart: one loose pattern lets strangers in.
pub(super) const SENSITIVE_KEYS: &[&str] = &[
    "aws:principalaccount",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:principalarn",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceorgid",
    "aws:sourceorgpaths",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:userid",
    "aws:vpceaccount",
    "aws:vpceorgid",
    "aws:vpceorgpaths",
    "kms:calleraccount",
    "s3:dataaccesspointaccount",
];

/// Variables whose value the caller has no hand in.
pub(super) const TRUSTED_VARIABLES: &[&str] = &[
    "aws:principalaccount",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:resourceaccount",
    "aws:resourceorgid",
    "aws:resourceorgpaths",
    "aws:userid",
];

/// Keys that a resource's own policy has always the same value for.
pub(super) const OWN_RESOURCE_KEYS: &[&str] =
    &["s3:resourceaccount", "aws:resourceaccount", "aws:resourceorgid", "aws:resourceorgpaths"];

/// Keys of VPC endpoints that only some services fill in.
pub(super) const ENDPOINT_OWNER_KEYS: &[&str] = &["aws:vpceaccount", "aws:vpceorgid", "aws:vpceorgpaths"];

/// The services that fill [`ENDPOINT_OWNER_KEYS`] in, as far as known; see `docs/access-lint.md`.
pub(super) const ENDPOINT_OWNER_SERVICES: &[&str] = &[
    "apprunner",
    "athena",
    "cloudformation",
    "cloudwatch",
    "compute-optimizer",
    "dynamodb",
    "ec2",
    "ecr",
    "ecs",
    "elasticbeanstalk",
    "events",
    "firehose",
    "iam",
    "kinesis",
    "kms",
    "lambda",
    "logs",
    "rekognition",
    "s3",
    "scheduler",
    "secretsmanager",
    "servicediscovery",
    "sns",
    "sqs",
    "ssm",
    "states",
    "sts",
    "textract",
    "transcribe",
    "xray",
];

/// Keys that take the ARN of a KMS key.
pub(super) const KMS_KEY_KEYS: &[&str] =
    &["s3:x-amz-server-side-encryption-aws-kms-key-id", "secretsmanager:kmskeyarn"];

/// Keys that take the name of a region.
pub(super) const REGION_KEYS: &[&str] = &["aws:requestedregion", "ec2:region"];

/// Identity providers whose `aud` is one text, in lower case.
pub(super) const SINGLE_AUDIENCE_PROVIDERS: &[&str] = &[
    "accounts.google.com",
    "cognito-identity.amazonaws.com",
    "graph.facebook.com",
    "token.actions.githubusercontent.com",
    "www.amazon.com",
];

/// Identity providers that are named by their host alone.
pub(super) const PUBLIC_PROVIDERS: &[&str] =
    &["accounts.google.com", "cognito-identity.amazonaws.com", "graph.facebook.com", "www.amazon.com"];

/// GitHub's identity provider.
pub(super) const GITHUB_PROVIDER: &str = "token.actions.githubusercontent.com";
