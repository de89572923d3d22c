//! Templates in, inventories out.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail the test")]
#![expect(clippy::format_push_string, reason = "short texts, made in tests only")]

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use yagura_collect::template::{Template, TemplateOptions};
use yagura_collect::{ResourceTypes, template::Problem};
use yagura_model::{Cause, Inventory, Listing, Resource};

const ACCOUNT: &str = "111122223333";
const REGION: &str = "ap-northeast-1";

fn options(types: Option<&ResourceTypes>) -> TemplateOptions<'_> {
    TemplateOptions {
        account: ACCOUNT.into(),
        region: REGION.into(),
        partition: "aws".into(),
        parameters: BTreeMap::new(),
        types,
    }
}

fn inventory(text: &str) -> Inventory {
    Template::parse(text, "stack.yml").unwrap().inventory(&options(None))
}

fn resource<'i>(inventory: &'i Inventory, id: &str) -> &'i Resource {
    inventory.named(id).next().unwrap_or_else(|| panic!("no resource {id}"))
}

/// The paths that could not be read, without those that no template has.
fn unread(resource: &Resource) -> Vec<&str> {
    let mut paths: Vec<&str> = Vec::new();
    for unread in &resource.unread {
        assert_eq!((unread.cause.cause, unread.cause.service.as_str()), (Cause::Unresolved, "cloudformation"));
        assert_eq!(unread.cause.action, None);
        paths.extend(unread.paths.iter().map(String::as_str).filter(|path| *path != "Attributes"));
    }
    paths
}

#[test]
fn short_tags_become_their_long_form() {
    let template = Template::parse(
        r#"
Conditions:
  A: !And [!Condition B, !Not [!Equals [!Ref C, yes]], !Or [!Condition B, !Condition B]]
Resources:
  X:
    Type: T
    Properties:
      Ref: !Ref 123
      Att: !GetAtt A.Outputs.B
      List: !GetAtt [A, B]
      Sub: !Sub ["${a}", {a: !Ref b}]
      Other: [!If [A, 1, 2], !Join [",", [a]], !FindInMap [a, b, c], !Select [0, !Split [",", "a"]]]
      More: [!Base64 yes, !ImportValue x, !Cidr [a, 1, 2], !GetAZs "", !Transform {Name: AWS::Include}]
      Text: !!str yes
      Quoted: "yes"
      Plain: yes
"#,
        "stack.yml",
    )
    .unwrap();
    let expected = json!({
        "Conditions": { "A": { "Fn::And": [
            { "Condition": "B" },
            { "Fn::Not": [{ "Fn::Equals": [{ "Ref": "C" }, true] }] },
            { "Fn::Or": [{ "Condition": "B" }, { "Condition": "B" }] },
        ] } },
        "Resources": { "X": { "Type": "T", "Properties": {
            "Ref": { "Ref": "123" },
            "Att": { "Fn::GetAtt": ["A", "Outputs.B"] },
            "List": { "Fn::GetAtt": ["A", "B"] },
            "Sub": { "Fn::Sub": ["${a}", { "a": { "Ref": "b" } }] },
            "Other": [
                { "Fn::If": ["A", 1, 2] }, { "Fn::Join": [",", ["a"]] }, { "Fn::FindInMap": ["a", "b", "c"] },
                { "Fn::Select": [0, { "Fn::Split": [",", "a"] }] },
            ],
            "More": [
                { "Fn::Base64": "yes" }, { "Fn::ImportValue": "x" }, { "Fn::Cidr": ["a", 1, 2] }, { "Fn::GetAZs": "" },
                { "Fn::Transform": { "Name": "AWS::Include" } },
            ],
            "Text": "yes", "Quoted": "yes", "Plain": true,
        } } },
    });
    assert_eq!(template.value(), &expected);
    assert_eq!(template.line_of("X"), Some(5));
    assert_eq!(template.line_of("Y"), None);
}

#[test]
fn the_spellings_of_real_files_are_read() {
    let expected = json!({ "Resources": { "Web": { "Type": "AWS::EC2::Instance", "Properties": {
        "UserData": { "Fn::Base64": { "Fn::Sub": "#!/bin/sh\necho ${AWS::Region}: \"x\"\n" } },
    } } } });
    let spellings = [
        "# a stack\n---\nResources:\n  # one\n  Web:\n    Type: AWS::EC2::Instance\n    Properties:\n      UserData:\n        Fn::Base64: !Sub |\n          #!/bin/sh\n          echo ${AWS::Region}: \"x\"\n",
        "Resources:\r\n  Web: # one\r\n    Type: 'AWS::EC2::Instance'\r\n    Properties:\r\n      UserData: !Base64\r\n        Fn::Sub: |\r\n          #!/bin/sh\r\n          echo ${AWS::Region}: \"x\"\r\n",
        "{\n\t\"Resources\": {\n\t\t\"Web\": {\"Type\":\"AWS::EC2::Instance\",\n\t\t\"Properties\"\t:\t{\n\t\t\t\"UserData\": {\"Fn::Base64\": {\n\t\"Fn::Sub\": \"#!\\/bin\\/sh\\necho ${AWS::Region}: \\\"\\u0078\\\"\\n\"}}}}}\n}\n",
    ];
    for text in spellings {
        let template = Template::parse(text, "stack").unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(template.value(), &expected, "{text}");
        assert!(template.line_of("Web").is_some());
    }
    let smile = Template::read("{\"A\": \"\\ud83d\\ude00\"}", "stack.json").unwrap();
    assert_eq!(smile.value(), &json!({ "A": "\u{1f600}" }));
}

#[test]
fn what_is_no_template_is_said_in_one_sentence() {
    let deep = format!("Resources: {{A: {{Type: T, Properties: {}}}}}", "[".repeat(120) + &"]".repeat(120));
    let bomb = {
        let mut text = "A0: &a0 [xxxxxxxxxxxxxxxx, xxxxxxxxxxxxxxxx]\n".to_owned();
        for level in 1..30 {
            text.push_str(&format!("A{level}: &a{level} [*a{0}, *a{0}]\n", level - 1));
        }
        text + "Resources: {A: {Type: T}}\n"
    };
    let cases = [
        ("", "stack.yml: the template is empty, where a mapping with `Resources` is needed"),
        ("- a\n", "stack.yml: the template is a list, where a mapping is needed"),
        ("A: 1\n", "stack.yml: the template has no `Resources`, where at least one resource is needed"),
        ("Resources: {}\n", "stack.yml: the template has no `Resources`, where at least one resource is needed"),
        ("Resources: [a]\n", "stack.yml: `Resources` is a list, where a mapping is needed"),
        ("Resources:\n  A: text\n", "stack.yml:2: the resource `A` is a text, where a mapping is needed"),
        (
            "Resources:\n  A:\n    Properties: {}\n",
            "stack.yml:2: the resource `A` has no `Type`, where a text such as `AWS::S3::Bucket` is needed",
        ),
        (
            "Resources:\n  A:\n    Type: T\n    Properties: [a]\n",
            "stack.yml:2: `Properties` of the resource `A` is a list, where a mapping is needed",
        ),
        ("Resources:\n  A: {Type: T}\n  A: {Type: T}\n", "stack.yml:3: the key `A` stands twice in the same mapping"),
        ("{\"A\": 1, \"A\": 2}", "stack.yml:1: the key `A` stands twice in the same mapping"),
        ("A: 1\n---\nB: 2\n", "stack.yml:2: a second YAML document begins here, where a template is one document"),
        ("? [a]\n: b\n", "stack.yml:1: a list or a mapping stands where a key is needed"),
        ("A: &a [*a]\n", "stack.yml:1: an alias refers to the very value that it is part of"),
        ("A: {<<: 1}\n", "stack.yml:1: the merge key `<<` needs a mapping or a list of mappings"),
        (&deep, "stack.yml:1: the template nests deeper than 100 levels"),
        (&bomb, "the aliases of the template amount to more than"),
        ("A: [1\nB: 2\n", "stack.yml:2: the template is neither valid YAML nor valid JSON: "),
        ("A: *nobody\n", "stack.yml:1: the template is neither valid YAML nor valid JSON: "),
    ];
    for (text, expected) in cases {
        let error = Template::parse(text, "stack.yml").unwrap_err().to_string();
        assert!(error.contains(expected), "{text:.60}: {error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn aliases_and_merges_are_followed() {
    let text = "
Base: &base {A: 1, B: &b [x]}
Resources:
  R: {Type: T, Properties: {<<: [*base, {C: 3, A: 9}], B: 2, D: *b}}
";
    let inventory = inventory(text);
    let expected = json!({ "A": 1, "B": 2, "C": 3, "D": ["x"] });
    assert_eq!(Value::Object(resource(&inventory, "R").properties.clone()), expected);
}

#[test]
fn resources_keep_what_is_known() {
    let inventory = inventory(
        r#"
Parameters:
  Stage: {Type: String, AllowedValues: [dev, prod]}
  Password: {Type: String, NoEcho: true, Default: hunter2}
Conditions:
  Never: !Equals [a, b]
  Maybe: !Equals [!Ref Stage, prod]
Resources:
  Logs: {Type: "AWS::S3::Bucket", DeletionPolicy: Retain}
  Gone: {Type: "AWS::S3::Bucket", Condition: Never}
  Kept: {Type: "AWS::S3::Bucket", Condition: Maybe}
  Data:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: !Sub "${AWS::StackName}-${Stage}"
      LoggingConfiguration: {DestinationBucketName: !Ref Logs, LogFilePrefix: null}
      BucketEncryption:
        ServerSideEncryptionConfiguration:
          - ServerSideEncryptionByDefault:
              SSEAlgorithm: !If [Maybe, "aws:kms", !Ref "AWS::NoValue"]
              KMSMasterKeyID: !GetAtt Key.Arn
      Tags:
        - {Key: team, Value: core}
        - {Key: stage, Value: !Ref Stage}
  Key: {Type: "AWS::KMS::Key"}
  Db:
    Type: AWS::RDS::DBInstance
    Properties: {MasterUserPassword: !Ref Password, VPCSecurityGroups: !If [Maybe, [!Ref Group], []], Tags: {a: b, c: 1}}
  Group: {Type: "AWS::EC2::SecurityGroup", Properties: {GroupDescription: x, Tags: !ImportValue tags}}
"#,
    );
    let ids: Vec<&str> = inventory.resources().iter().map(|resource| resource.id.as_str()).collect();
    assert_eq!(ids, ["Logs", "Kept", "Data", "Key", "Db", "Group"]);

    let data = resource(&inventory, "Data");
    assert_eq!(data.region.as_str(), REGION);
    assert_eq!(data.arn_or_id(), "${Data.Arn}");
    assert_eq!(
        Value::Object(data.properties.clone()),
        json!({
            "LoggingConfiguration": { "DestinationBucketName": "Logs" },
            "BucketEncryption": { "ServerSideEncryptionConfiguration": [
                { "ServerSideEncryptionByDefault": { "KMSMasterKeyID": "${Key.Arn}" } },
            ] },
            "Tags": [{ "Key": "team", "Value": "core" }, { "Key": "stage" }],
        })
    );
    assert_eq!(
        unread(data),
        [
            "Properties.BucketName",
            "Properties.BucketEncryption.ServerSideEncryptionConfiguration[0].ServerSideEncryptionByDefault.SSEAlgorithm",
            "Properties.Tags[1].Value",
            "Tags.stage",
        ]
    );
    assert_eq!(data.tags.get("team").map(String::as_str), Some("core"));
    let related: Vec<&str> = data.relations.iter().map(|relation| relation.id.as_str()).collect();
    assert_eq!(related, ["Logs", "Key"]);

    let db = resource(&inventory, "Db");
    assert_eq!(
        unread(db),
        ["Properties.MasterUserPassword", "Properties.VPCSecurityGroups", "Relations.AWS::EC2::SecurityGroup"]
    );
    assert_eq!(db.tags.get("c").map(String::as_str), Some("1"));
    assert!(!format!("{db:?}").contains("hunter2"));
    assert_eq!(unread(resource(&inventory, "Group")), ["Properties.Tags", "Tags"]);
}

#[test]
fn what_is_declared_beside_a_resource_is_joined_to_it() {
    let inventory = inventory(
        r#"
Parameters: {Name: {Type: String}, Source: {Type: String}}
Resources:
  Bucket: {Type: "AWS::S3::Bucket"}
  Named: {Type: "AWS::S3::Bucket", Properties: {BucketName: !Ref Name}}
  Elsewhere: {Type: "AWS::S3::Bucket", Properties: {BucketName: !ImportValue other}}
  Bare: {Type: "AWS::S3::Bucket"}
  BucketPolicy:
    Type: AWS::S3::BucketPolicy
    Properties: {Bucket: !Ref Bucket, PolicyDocument: {Statement: {Effect: Allow, Principal: "*", Action: "s3:*", Resource: !Sub "${Bucket.Arn}/*"}}}
  NamedPolicy:
    Type: AWS::S3::BucketPolicy
    Properties: {Bucket: !Ref Name, PolicyDocument: {Statement: []}}
  Group:
    Type: AWS::EC2::SecurityGroup
    Properties: {SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 443, ToPort: 443, CidrIp: 0.0.0.0/0}]}
  Ssh:
    Type: AWS::EC2::SecurityGroupIngress
    Properties: {GroupId: !GetAtt Group.GroupId, IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIp: !Ref Source}
  Foreign:
    Type: AWS::EC2::SecurityGroupIngress
    Properties: {GroupId: !ImportValue group, IpProtocol: "-1"}
  Role: {Type: "AWS::IAM::Role", Properties: {Policies: [{PolicyName: own, PolicyDocument: {Statement: []}}]}}
  Inline: {Type: "AWS::IAM::Policy", Properties: {PolicyName: beside, Roles: [!Ref Role], PolicyDocument: {Statement: []}}}
  Managed: {Type: "AWS::IAM::ManagedPolicy", Properties: {Roles: [!Ref Role], PolicyDocument: {Statement: []}}}
  Topic: {Type: "AWS::SNS::Topic"}
  TopicPolicy: {Type: "AWS::SNS::TopicPolicy", Properties: {Topics: [!Ref Topic], PolicyDocument: '{"Statement": {"Effect": "Deny"}}'}}
  Secret: {Type: "AWS::SecretsManager::Secret"}
  Rotation: {Type: "AWS::SecretsManager::RotationSchedule", Properties: {SecretId: !Ref Secret, RotationRules: {AutomaticallyAfterDays: 30}}}
  Function: {Type: "AWS::Lambda::Function", Properties: {FunctionName: reports}}
  FromBucket:
    Type: AWS::Lambda::Permission
    Properties: {FunctionName: !GetAtt Function.Arn, Action: "lambda:InvokeFunction", Principal: s3.amazonaws.com, SourceArn: !GetAtt Bucket.Arn}
  FromAnyone:
    Type: AWS::Lambda::Permission
    Properties: {FunctionName: "arn:aws:lambda:ap-northeast-1:111122223333:function:reports", Action: "lambda:*", Principal: !Ref "AWS::AccountId", SourceAccount: !Ref Source}
"#,
    );
    let attribute = |id: &str, name: &str| resource(&inventory, id).attributes.get(name).cloned();
    let property = |id: &str, name: &str| resource(&inventory, id).properties.get(name).cloned();
    let statement = json!({ "Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "${Bucket.Arn}/*" });
    assert_eq!(attribute("Bucket", "Policy"), Some(json!({ "Statement": [statement] })));
    assert_eq!(attribute("Named", "Policy"), Some(json!({ "Statement": [] })));
    assert_eq!(unread(resource(&inventory, "Elsewhere")), ["Properties.BucketName", "Attributes.Policy"]);
    assert_eq!(attribute("Bare", "Policy"), None);
    assert!(resource(&inventory, "Bare").unread.is_empty(), "no policy is declared, and that is known");
    assert_eq!(
        property("Group", "SecurityGroupIngress"),
        Some(json!([
            { "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIp": "0.0.0.0/0" },
            { "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22 },
        ]))
    );
    assert_eq!(unread(resource(&inventory, "Group")), ["Properties.SecurityGroupIngress[1].CidrIp"]);
    assert_eq!(
        property("Role", "Policies"),
        Some(json!([
            { "PolicyName": "own", "PolicyDocument": { "Statement": [] } },
            { "PolicyName": "beside", "PolicyDocument": { "Statement": [] } },
        ]))
    );
    assert_eq!(property("Role", "ManagedPolicyArns"), Some(json!(["${Managed.Arn}"])));
    assert_eq!(resource(&inventory, "Managed").arn.as_ref().unwrap().as_str(), "${Managed.Arn}");
    assert_eq!(attribute("Topic", "Policy"), Some(json!({ "Statement": [{ "Effect": "Deny" }] })));
    assert_eq!(attribute("Secret", "RotationEnabled"), Some(json!(true)));
    assert_eq!(attribute("Secret", "RotationRules"), Some(json!({ "AutomaticallyAfterDays": 30 })));
    assert_eq!(
        attribute("Function", "Policy"),
        Some(json!({ "Version": "2012-10-17", "Statement": [
            {
                "Sid": "FromBucket", "Effect": "Allow", "Principal": { "Service": "s3.amazonaws.com" },
                "Action": "lambda:InvokeFunction", "Resource": "${Function.Arn}",
                "Condition": { "ArnLike": { "AWS:SourceArn": "${Bucket.Arn}" } },
            },
            {
                "Sid": "FromAnyone", "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::111122223333:root" },
                "Action": "lambda:*", "Resource": "arn:aws:lambda:ap-northeast-1:111122223333:function:reports",
                "Condition": { "StringEquals": {} },
            },
        ] }))
    );
    assert_eq!(
        unread(resource(&inventory, "Function")),
        ["Attributes.Policy.Statement[1].Condition.StringEquals.AWS:SourceAccount"]
    );
}

#[test]
fn attributes_that_only_a_live_resource_has_are_unread_by_name() {
    let bucket = "
type: AWS::S3::Bucket
service: s3
list: { operation: ListBuckets, items: Buckets }
id: '{item.Name}'
properties: { BucketName: item.Name, Notes: item.Notes }
attributes: { CreationDate: item.CreationDate, Policy: item.Policy }
redact: [Properties.Notes]
";
    let (types, errors) = ResourceTypes::load_files([("s3/bucket.yml", bucket)]);
    assert_eq!(errors, []);
    let text = "Resources: {A: {Type: 'AWS::S3::Bucket', Properties: {Notes: secret}}, B: {Type: 'AWS::X::Y'}}";
    let inventory = Template::parse(text, "stack.yml").unwrap().inventory(&options(Some(&types)));
    let bucket = resource(&inventory, "A");
    assert_eq!(unread(bucket), ["Attributes.CreationDate"]);
    assert_eq!(bucket.properties.get("Notes"), Some(&json!("[redacted]")));
    assert_eq!(resource(&inventory, "B").unread.first().unwrap().paths, ["Attributes"]);
}

#[test]
fn types_count_as_listed_as_far_as_the_template_shows_them() {
    let listed = |text: &str, kind: &str| {
        let inventory = inventory(text);
        let listing = inventory.listing(&kind.into(), &ACCOUNT.into(), &REGION.into());
        listing.map(|listing| matches!(listing, Listing::Complete))
    };
    let plain = "Resources: {Vpc: {Type: 'AWS::EC2::VPC'}, Q: {Type: 'AWS::SQS::Queue'}}";
    let serverless = format!("Transform: 'AWS::Serverless-2016-10-31'\n{plain}");
    let extended = format!("Transform: ['AWS::LanguageExtensions']\n{plain}");
    let looped = "Resources: {Vpc: {Type: 'AWS::EC2::VPC'}, 'Fn::ForEach::More': [a, [b], {}]}";
    let cases = [
        (plain, "AWS::EC2::VPC", Some(true)),
        (plain, "AWS::EC2::FlowLog", Some(true)),
        (plain, "AWS::SQS::QueuePolicy", Some(true)),
        (plain, "AWS::SNS::TopicPolicy", None),
        (plain, "AWS::CloudTrail::Trail", None),
        (serverless.as_str(), "AWS::EC2::VPC", Some(false)),
        (extended.as_str(), "AWS::EC2::VPC", Some(true)),
        (looped, "AWS::EC2::VPC", Some(false)),
    ];
    for (text, kind, expected) in cases {
        assert_eq!(listed(text, kind), expected, "{kind} in {text}");
    }
}

/// Registry of Guard rules: a rule, a template, and whether the template is good.
#[test]
fn the_templates_of_the_guard_registry_are_read() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/datasets/guard-rules-registry/cases.jsonl.gz");
    let Ok(file) = std::fs::File::open(path) else {
        eprintln!("skipped: ../shared/datasets/guard-rules-registry is not here");
        return;
    };
    let lines = std::io::BufRead::lines(std::io::BufReader::new(flate2::read::GzDecoder::new(file)));
    let (mut read, mut refused) = (0, 0);
    for line in lines {
        let case: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let expected = case.get("template").unwrap();
        for text in [expected.to_string(), serde_json::to_string_pretty(expected).unwrap()] {
            let template = Template::read(&text, "case.json").unwrap();
            assert_eq!(template.value(), expected);
            let resources = template.inventory(&options(None)).resources().len();
            match Template::parse(&text, "case.json") {
                Ok(_) => assert_eq!(resources, expected["Resources"].as_object().unwrap().len()),
                Err(error) => {
                    refused += 1;
                    assert!(
                        matches!(
                            error.problem,
                            Problem::NoResources | Problem::NoMapping { .. } | Problem::NoType { .. }
                        ),
                        "{error}"
                    );
                }
            }
        }
        read += 1;
    }
    assert!(read > 1_000, "{read} templates");
    assert!(refused < read / 2, "{refused} of {read} are no whole templates");
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    /// What a template may hold, functions included.
    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            (-1_000_i32..1_000).prop_map(|number| json!(f64::from(number) / 8.0)),
            "[ -~]{0,12}".prop_map(Value::from),
            "\\PC{0,6}".prop_map(Value::from),
            Just(json!("yes")),
            Just(Value::Null),
            Just(json!({ "Ref": "Own" })),
            Just(json!({ "Ref": "Open" })),
            Just(json!({ "Fn::GetAtt": ["Own", "Arn"] })),
            Just(json!({ "Fn::Sub": "${Own.Arn}:${AWS::Region}:${Open}" })),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[A-Za-z :#-]{1,6}", inner.clone(), 0..4)
                    .prop_map(|entries| Value::Object(Map::from_iter(entries))),
                (prop::sample::select(vec!["If", "Join", "Select", "Sub", "Cidr", "Split", "FindInMap"]), inner)
                    .prop_map(|(name, argument)| json!({ format!("Fn::{name}"): argument })),
            ]
        })
    }

    fn document() -> impl Strategy<Value = Value> {
        prop::collection::btree_map("[A-Za-z]{1,6}", value(), 0..5).prop_map(|properties| {
            json!({
                "Parameters": { "Open": { "Type": "String" } },
                "Conditions": { "a": { "Fn::Equals": [{ "Ref": "Open" }, "x"] } },
                "Resources": { "Own": { "Type": "AWS::S3::Bucket", "Properties": properties } },
            })
        })
    }

    /// YAML in blocks, functions as short tags.
    fn yaml(value: &Value, indent: usize, out: &mut String) {
        let pad = "  ".repeat(indent);
        match value {
            Value::Object(entries) => {
                let function = entries.iter().next().filter(|_| entries.len() == 1);
                let tag = function.and_then(|(name, argument)| {
                    let tag = if name == "Ref" { "Ref" } else { name.strip_prefix("Fn::")? };
                    // A function's argument that is a function itself has no short form in YAML.
                    let nests = argument.as_object().is_some_and(|inner| {
                        inner.len() == 1 && inner.keys().all(|key| key == "Ref" || key.starts_with("Fn::"))
                    });
                    // A text that some tags have where JSON could have a number.
                    let is_text_or_more = argument.is_string() || argument.is_array() || argument.is_object();
                    (!nests && is_text_or_more).then_some((tag, argument))
                });
                match tag {
                    Some((tag, argument)) => {
                        out.push_str(&format!(" !{tag}"));
                        yaml(argument, indent, out);
                    }
                    None if entries.is_empty() => out.push_str(" {}\n"),
                    None => {
                        out.push('\n');
                        for (key, value) in entries {
                            out.push_str(&format!("{pad}{}:", json!(key)));
                            yaml(value, indent + 1, out);
                        }
                    }
                }
            }
            Value::Array(items) if items.is_empty() => out.push_str(" []\n"),
            Value::Array(items) => {
                out.push('\n');
                for item in items {
                    out.push_str(&format!("{pad}-"));
                    yaml(item, indent + 1, out);
                }
            }
            scalar => out.push_str(&format!(" {scalar}\n")),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_text_is_a_template_or_an_error(text in "\\PC{0,80}|[ \\n:\\-\\[\\]{}!&*<a-c\"'|>#,?]{0,80}") {
            if let Ok(template) = Template::read(&text, "any") {
                template.inventory(&options(None));
            }
        }

        #[test]
        fn json_and_yaml_are_the_same(document in document()) {
            let mut text = String::new();
            yaml(&document, 0, &mut text);
            let from_json = Template::parse(&document.to_string(), "any.json").unwrap();
            prop_assert_eq!(from_json.value(), &document);
            let from_yaml = Template::parse(&text, "any.yml").unwrap();
            prop_assert_eq!(from_yaml.value(), &document, "{}", text);
            let inventory = from_json.inventory(&options(None));
            prop_assert_eq!(inventory.resources().len(), 1);
        }
    }
}

#[test]
fn a_key_of_a_template_is_the_customers() {
    let inventory = inventory("Resources: {Key: {Type: AWS::KMS::Key}}");
    assert_eq!(resource(&inventory, "Key").attributes.get("KeyManager"), Some(&json!("CUSTOMER")));
}
