//! `Ref` and `Fn::GetAtt`: parameters, pseudo parameters and resources.

use serde_json::{Map, Value};
use yagura_model::CouldNotLook;

use super::resolve::{Notes, Scope, missing};
use super::scalar;

/// The types whose `Ref` is the ARN; of all others it is a name or an id.
const REF_IS_ARN: [&str; 30] = [
    "AWS::AccessAnalyzer::Analyzer",
    "AWS::Batch::ComputeEnvironment",
    "AWS::Batch::JobDefinition",
    "AWS::Batch::JobQueue",
    "AWS::CertificateManager::Certificate",
    "AWS::CloudFormation::Stack",
    "AWS::CodeBuild::ReportGroup",
    "AWS::ECS::Service",
    "AWS::ECS::TaskDefinition",
    "AWS::ElasticLoadBalancingV2::Listener",
    "AWS::ElasticLoadBalancingV2::ListenerRule",
    "AWS::ElasticLoadBalancingV2::LoadBalancer",
    "AWS::ElasticLoadBalancingV2::TargetGroup",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::OIDCProvider",
    "AWS::IAM::SAMLProvider",
    "AWS::Lambda::Alias",
    "AWS::Lambda::LayerVersion",
    "AWS::Lambda::Version",
    "AWS::MSK::Cluster",
    "AWS::NetworkFirewall::Firewall",
    "AWS::NetworkFirewall::FirewallPolicy",
    "AWS::NetworkFirewall::RuleGroup",
    "AWS::SNS::Subscription",
    "AWS::SNS::Topic",
    "AWS::SageMaker::EndpointConfig",
    "AWS::SageMaker::Model",
    "AWS::SageMaker::NotebookInstance",
    "AWS::SecretsManager::Secret",
    "AWS::StepFunctions::StateMachine",
];

/// The text that stands for an attribute of a resource that is not there yet.
pub(super) fn placeholder(logical_id: &str, attribute: &str) -> String {
    format!("${{{logical_id}.{attribute}}}")
}

impl<'a> Scope<'a> {
    /// What a `Ref` gives; none for `AWS::NoValue`.
    pub(super) fn reference(&self, name: &str, notes: &mut Notes<'a>) -> Result<Option<Value>, CouldNotLook> {
        if let Some(pseudo) = name.strip_prefix("AWS::") {
            return self.pseudo(name, pseudo);
        }
        if let Some((name, declared)) = self.declared("Parameters", name) {
            return self.parameter(name, declared).map(Some);
        }
        let Some((id, resource)) = self.declared("Resources", name) else {
            return Err(missing("Ref", format!("nothing in the template is called `{name}`")));
        };
        notes.named.push(id);
        let is_arn = resource.get("Type").and_then(Value::as_str).is_some_and(|kind| REF_IS_ARN.contains(&kind));
        Ok(Some(Value::String(if is_arn { placeholder(id, "Arn") } else { id.to_owned() })))
    }

    /// What a `Fn::GetAtt` gives: a text that stands for the attribute.
    pub(super) fn attribute(&self, id: &str, attribute: &str, notes: &mut Notes<'a>) -> Result<Value, CouldNotLook> {
        let Some((id, resource)) = self.declared("Resources", id) else {
            return Err(missing("Fn::GetAtt", format!("the template has no resource `{id}`")));
        };
        notes.named.push(id);
        let kind = resource.get("Type").and_then(Value::as_str).unwrap_or_default();
        let says_anything = kind.starts_with("Custom::")
            || matches!(kind, "AWS::CloudFormation::CustomResource" | "AWS::CloudFormation::Macro")
            || (kind == "AWS::CloudFormation::Stack" && attribute.starts_with("Outputs."));
        if says_anything {
            return Err(missing("Fn::GetAtt", format!("`{id}` gives its `{attribute}` only at deployment")));
        }
        Ok(Value::String(placeholder(id, attribute)))
    }

    /// A name of a section as the template has it, with what it names.
    pub(super) fn declared(&self, section: &str, name: &str) -> Option<(&'a str, &'a Value)> {
        self.template.section(section)?.get_key_value(name).map(|(name, value)| (name.as_str(), value))
    }

    fn pseudo(&self, name: &str, pseudo: &str) -> Result<Option<Value>, CouldNotLook> {
        let text = match pseudo {
            "NoValue" => return Ok(None),
            "Region" => self.options.region.as_str(),
            "AccountId" => self.options.account.as_str(),
            "Partition" => self.options.partition.as_str(),
            "URLSuffix" => match self.options.partition.as_str() {
                "aws-cn" => "amazonaws.com.cn",
                "aws" | "aws-us-gov" => "amazonaws.com",
                _ => return Err(missing("Ref", format!("`{name}` is not known for this partition"))),
            },
            // Only a name: what it is called changes no verdict, and half of all names begin with it.
            "StackName" => "${AWS::StackName}",
            "StackId" => "${AWS::StackId}",
            _ => return Err(missing("Ref", format!("`{name}` is only known at deployment"))),
        };
        Ok(Some(Value::from(text)))
    }

    fn parameter(&self, name: &'a str, declared: &'a Value) -> Result<Value, CouldNotLook> {
        let Some(declared) = declared.as_object() else {
            return Err(missing("Ref", format!("parameter `{name}` is malformed")));
        };
        if is_secret(declared) {
            return Err(missing("Ref", format!("parameter `{name}` is kept secret")));
        }
        let kind = declared.get("Type").and_then(Value::as_str).unwrap_or("String");
        if kind.starts_with("AWS::SSM::Parameter::Value<") {
            return Err(missing("Ref", format!("parameter `{name}` is looked up in Parameter Store at deployment")));
        }
        let value = match (self.options.parameters.get(name), declared.get("Default")) {
            (Some(given), _) => Value::String(given.clone()),
            (None, Some(default)) if !default.is_null() => default.clone(),
            (None, _) => {
                return Err(missing("Ref", format!("parameter `{name}` has no default and no value was given")));
            }
        };
        Ok(typed(kind, value))
    }
}

fn is_secret(declared: &Map<String, Value>) -> bool {
    match declared.get("NoEcho") {
        Some(Value::Bool(secret)) => *secret,
        Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
        _ => false,
    }
}

/// A value as the type of its parameter has it.
fn typed(kind: &str, value: Value) -> Value {
    match value {
        Value::String(text) if kind == "CommaDelimitedList" || kind.starts_with("List<") => {
            Value::Array(text.split(',').map(|part| Value::from(part.trim())).collect())
        }
        Value::String(text) if kind == "Number" => {
            scalar::number(text.trim()).map_or(Value::String(text), Value::Number)
        }
        value => value,
    }
}
