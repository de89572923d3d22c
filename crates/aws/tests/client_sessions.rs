//! Sessions: where credentials and settings come from, and what is said where they do not.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on stops there"
)]

mod client_server;

use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use client_server::{Asked, Server, answer, client_of, environment, now, options, quick, xml_error};
use serde_json::json;
use tempfile::TempDir;
use yagura_aws::client::Clock;
use yagura_aws::credentials::{Environment, Session, SessionError, SessionOptions};
use yagura_aws::model::Models;

/// A home directory with these files in `.aws`.
fn home(config: &str, credentials: &str) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".aws")).unwrap();
    std::fs::write(home.path().join(".aws/config"), config).unwrap();
    std::fs::write(home.path().join(".aws/credentials"), credentials).unwrap();
    home
}

/// No metadata service is asked: a test reaches nothing but its own server.
fn at(home: &TempDir, variables: &[(&str, &str)]) -> Environment {
    let mut environment = environment(variables);
    environment.variables.insert("AWS_EC2_METADATA_DISABLED".to_owned(), "true".to_owned());
    environment.home = Some(home.path().to_owned());
    environment
}

async fn load(home: &TempDir, profile: Option<&str>, variables: &[(&str, &str)]) -> Result<Session, SessionError> {
    let mut options = options(at(home, variables));
    options.profile = profile.map(ToOwned::to_owned);
    Session::load(options).await
}

/// The whole of an error, with the home directory as `~`.
async fn refusal(home: &TempDir, profile: Option<&str>, variables: &[(&str, &str)]) -> String {
    let error = load(home, profile, variables).await.err().expect("an error");
    error.to_string().replace(&*home.path().to_string_lossy(), "~")
}

async fn key_id(session: &Session) -> String {
    session.credentials().await.unwrap().access_key_id().to_owned()
}

const TWO: &str = "[default]\naws_access_key_id=DEFAULT\naws_secret_access_key=s\n[work]\naws_access_key_id=WORK\naws_secret_access_key=s\n";
const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "ENVIRONMENT"), ("AWS_SECRET_ACCESS_KEY", "s")];

#[tokio::test]
async fn a_profile_asked_for_goes_before_the_environment() {
    let home = home("[profile work]\nregion = eu-west-1\n", TWO);
    let cases = [
        (None, vec![], "DEFAULT"),
        (None, vec![("AWS_PROFILE", "work")], "WORK"),
        (None, KEYS.to_vec(), "ENVIRONMENT"),
        (None, [&KEYS[..], &[("AWS_PROFILE", "work")]].concat(), "ENVIRONMENT"),
        (Some("work"), KEYS.to_vec(), "WORK"),
    ];
    for (profile, variables, expected) in cases {
        let session = load(&home, profile, &variables).await.unwrap();
        assert_eq!(key_id(&session).await, expected, "{profile:?} {variables:?}");
    }
    let session = load(&home, Some("work"), &[]).await.unwrap();
    assert_eq!((session.profile(), session.region()), ("work", Some("eu-west-1")));
    let session = load(&home, Some("work"), &[("AWS_REGION", "us-west-2")]).await.unwrap();
    assert_eq!(session.region(), Some("us-west-2"));
}

#[tokio::test]
async fn errors_say_what_to_do() {
    let none = home("", "");
    let sentence = refusal(&none, None, &[]).await;
    for way in ["--profile", "aws sso login", "AWS_ACCESS_KEY_ID"] {
        assert!(sentence.starts_with("no credentials were found") && sentence.contains(way), "{sentence}");
    }
    assert_eq!(refusal(&none, Some("x"), &[]).await, "there is no profile `x` (no profile is configured)");
    let two = home("", TWO);
    assert_eq!(refusal(&two, Some("x"), &[]).await, "there is no profile `x` (known are `default`, `work`)");
    let with_profile = refusal(&two, None, &[("AWS_PROFILE", "y")]).await;
    assert_eq!(with_profile, "there is no profile `y` (known are `default`, `work`)");
    assert_eq!(
        refusal(&home("[default]\nregion eu-west-1\n", ""), None, &[]).await,
        "line 2 of `~/.aws/config` is malformed: the line is neither a section nor `name = value`"
    );
    assert_eq!(
        refusal(&two, None, &[("AWS_USE_FIPS_ENDPOINT", "maybe")]).await,
        "`AWS_USE_FIPS_ENDPOINT` is `maybe`: expected `true` or `false`"
    );
    let half = home("", "[default]\naws_access_key_id=A\n");
    assert_eq!(
        refusal(&half, None, &[]).await,
        "profile `default`: `aws_access_key_id` is there without `aws_secret_access_key`"
    );
    let circle = home("[profile a]\nrole_arn=r\nsource_profile=b\n[profile b]\nrole_arn=r\nsource_profile=a\n", "");
    let sentence = refusal(&circle, Some("a"), &[]).await;
    assert!(sentence.ends_with("its chain of `source_profile` goes round in a circle or is too long"), "{sentence}");
    let bundle = refusal(&two, None, &[("AWS_CA_BUNDLE", "~/.aws/credentials")]).await;
    assert_eq!(bundle, "`~/.aws/credentials` is no pem file of certificates: there is none in it");
}

#[tokio::test]
async fn an_sso_session_that_is_over_says_how_to_sign_in() {
    let config = "[profile dev]\nsso_session=corp\nsso_account_id=111122223333\nsso_role_name=Audit\n\
                  [sso-session corp]\nsso_region=us-east-1\nsso_start_url=https://no-such-session.example.com/start\n";
    let error = load(&home(config, ""), Some("dev"), &[]).await.err().unwrap();
    assert!(matches!(error, SessionError::SsoSignIn { .. }));
    assert!(error.to_string().ends_with("run `aws sso login --profile dev`"), "{error}");
    let missing = config.replace("[sso-session corp]", "[sso-session other]");
    let sentence = refusal(&home(&missing, ""), Some("dev"), &[]).await;
    assert_eq!(sentence, "profile `dev`: there is no `sso-session corp`");
}

#[tokio::test]
async fn a_process_gives_credentials() {
    let json = r#"{"Version": 1, "AccessKeyId": "PROCESS", "SecretAccessKey": "s", "SessionToken": "t"}"#;
    let home_dir = home(&format!("[profile tool]\ncredential_process = echo '{json}'\n"), "");
    let session = load(&home_dir, Some("tool"), &[]).await.unwrap();
    assert_eq!(key_id(&session).await, "PROCESS");
    let broken = home("[profile tool]\ncredential_process = false\n", "");
    assert_eq!(
        refusal(&broken, Some("tool"), &[]).await,
        "the `credential_process` of profile `tool` gave no credentials"
    );
}

#[tokio::test]
async fn endpoints_come_from_where_the_aws_cli_looks() {
    let config = "[default]\nendpoint_url=http://profile\nservices=local\n[services local]\n\
                  s3 =\n  endpoint_url=http://profile-s3\nelastic_load_balancing_v2 =\n  endpoint_url=http://profile-elb\n";
    let home = home(config, TWO);
    let of = async |variables: &[(&str, &str)], forced: Option<&str>| {
        let mut options: SessionOptions = options(at(&home, variables));
        options.endpoint_url = forced.map(ToOwned::to_owned);
        let session = Session::load(options).await.unwrap();
        let models = Models::embedded().unwrap();
        ["s3", "elbv2", "iam"]
            .map(|name| session.endpoint_url(&models.service(name).unwrap()).unwrap_or("-").to_owned())
    };
    assert_eq!(of(&[], None).await, ["http://profile-s3", "http://profile-elb", "http://profile"]);
    let own = [("AWS_ENDPOINT_URL_S3", "http://s3"), ("AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2", "http://elb")];
    assert_eq!(of(&own, None).await, ["http://s3", "http://elb", "http://profile"]);
    let general = [own[0], ("AWS_ENDPOINT_URL", "http://all")];
    assert_eq!(of(&general, None).await, ["http://s3", "http://all", "http://all"]);
    assert_eq!(of(&general, Some("http://asked")).await, ["http://asked", "http://asked", "http://asked"]);
    let ignored = [general[0], general[1], ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")];
    assert_eq!(of(&ignored, None).await, ["-", "-", "-"]);
}

#[tokio::test]
async fn a_service_may_be_asked_elsewhere() {
    let (s3, all) = (Server::start([answer(200, "<ListAllMyBucketsResult/>")]).await, Server::start([]).await);
    let variables =
        [KEYS[0], KEYS[1], ("AWS_ENDPOINT_URL_S3", s3.url.as_str()), ("AWS_ENDPOINT_URL", all.url.as_str())];
    let session = Session::load(options(environment(&variables))).await.unwrap();
    client_of(session, quick()).call("s3", "us-east-1", "ListBuckets", json!({})).await.unwrap();
    assert_eq!((s3.asked().len(), all.asked().len()), (1, 0));
}

/// What STS answers to `AssumeRole`.
fn assumed(key_id: &str, until: &str) -> client_server::Step {
    let credentials = format!(
        "<AccessKeyId>{key_id}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>\
         <Expiration>{until}</Expiration>"
    );
    answer(
        200,
        &format!(
            "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>\
             <Credentials>{credentials}</Credentials></AssumeRoleResult></AssumeRoleResponse>"
        ),
    )
}

fn fields(asked: &Asked) -> Vec<(&str, &str)> {
    asked.body.split('&').filter_map(|pair| pair.split_once('=')).collect()
}

const MFA: &str = "[profile base]\naws_access_key_id=BASE\naws_secret_access_key=s\n\
    [profile middle]\nrole_arn=arn:aws:iam::111122223333:role/middle\nsource_profile=base\n\
    mfa_serial=arn:aws:iam::111122223333:mfa/person\n\
    [profile audit]\nrole_arn=arn:aws:iam::444455556666:role/audit\nsource_profile=middle\nregion=eu-west-1\n\
    external_id=ext-1\nduration_seconds=1800\nrole_session_name=auditor\n";

#[tokio::test]
async fn roles_are_assumed_one_from_another_with_a_code() {
    let until = "2027-01-15T09:00:00Z";
    let server =
        Server::start([assumed("MIDDLE", until), assumed("AUDIT", until), answer(200, r#"{"TableNames": []}"#)]).await;
    let home = home(MFA, "");
    let mut options = options(at(&home, &[("AWS_ENDPOINT_URL", &server.url)]));
    options.profile = Some("audit".to_owned());
    let questions: Arc<Mutex<Vec<String>>> = Arc::default();
    let heard = Arc::clone(&questions);
    options.mfa = Some(Arc::new(move |profile: &str, serial: &str| {
        heard.lock().unwrap().push(format!("{profile} {serial}"));
        Ok(" 123456\n".to_owned())
    }));
    let client = client_of(Session::load(options).await.unwrap(), quick());
    client.call("dynamodb", "us-east-1", "ListTables", json!({})).await.unwrap();
    assert_eq!(*questions.lock().unwrap(), ["middle arn:aws:iam::111122223333:mfa/person"]);
    let asked = server.asked();
    assert_eq!(asked.len(), 3);
    let first = fields(&asked[0]);
    assert!(first.contains(&("Action", "AssumeRole")), "{first:?}");
    assert!(first.contains(&("TokenCode", "123456")), "{first:?}");
    assert!(first.contains(&("RoleSessionName", "yagura")), "{first:?}");
    assert!(asked[0].headers["authorization"].contains("Credential=BASE/"));
    let second = fields(&asked[1]);
    for expected in [("ExternalId", "ext-1"), ("DurationSeconds", "1800"), ("RoleSessionName", "auditor")] {
        assert!(second.contains(&expected), "{second:?}");
    }
    assert!(!second.iter().any(|(name, _)| *name == "TokenCode"), "{second:?}");
    assert!(asked[1].headers["authorization"].contains("Credential=MIDDLE/"));
    assert!(asked[1].headers["authorization"].contains("/eu-west-1/sts/"));
    assert!(asked[2].headers["authorization"].contains("Credential=AUDIT/"));
    assert_eq!(asked[2].headers["x-amz-security-token"], "t");
}

#[tokio::test]
async fn a_code_that_nobody_gives_or_sts_refuses_is_an_error() {
    let server = Server::start([xml_error(403, "AccessDenied")]).await;
    let home = home(MFA, "");
    let load = async |answer: Option<&'static str>| {
        let mut options = options(at(&home, &[("AWS_ENDPOINT_URL", &server.url)]));
        options.profile = Some("middle".to_owned());
        if let Some(answer) = answer {
            options.mfa = Some(Arc::new(move |_: &str, _: &str| Ok(answer.to_owned())));
        }
        Session::load(options).await.err().unwrap()
    };
    let expected = "profile `middle` needs a code of the mfa device `arn:aws:iam::111122223333:mfa/person`, and nobody could be asked";
    assert_eq!(load(None).await.to_string(), expected);
    let malformed = load(Some("12345x")).await;
    assert_eq!(malformed.source().unwrap().to_string(), "the code is not six digits");
    assert_eq!(server.asked().len(), 0);
    let refused = load(Some("123456")).await;
    assert_eq!(
        refused.to_string(),
        "the role `arn:aws:iam::111122223333:role/middle` of profile `middle` could not be assumed"
    );
    assert_eq!(refused.source().unwrap().to_string(), "AccessDenied: in the server's words");
    assert_eq!(server.asked().len(), 1);
}

/// A clock that a test sets.
struct SetClock(Arc<AtomicUsize>);

impl Clock for SetClock {
    fn now(&self) -> std::time::SystemTime {
        now() + Duration::from_secs(u64::try_from(self.0.load(Ordering::Relaxed)).unwrap())
    }
}

#[tokio::test]
async fn credentials_are_fetched_anew_before_they_expire() {
    let server = Server::start([
        assumed("FIRST", "2027-01-15T09:00:00Z"),
        assumed("SECOND", "2027-01-15T10:00:00Z"),
        xml_error(403, "No"),
    ])
    .await;
    let config = "[default]\nrole_arn=arn:aws:iam::111122223333:role/r\ncredential_source=Environment\n";
    let home = home(config, "");
    let seconds = Arc::new(AtomicUsize::new(0));
    let mut options = options(at(&home, &[("AWS_ENDPOINT_URL_STS", &server.url), KEYS[0], KEYS[1]]));
    options.profile = Some("default".to_owned());
    options.clock = Arc::new(SetClock(Arc::clone(&seconds)));
    let session = Session::load(options).await.unwrap();
    let key_at = async |second: usize| {
        seconds.store(second, Ordering::Relaxed);
        session
            .credentials()
            .await
            .map(|credentials| credentials.access_key_id().to_owned())
            .map_err(|error| error.to_string())
    };
    assert_eq!(key_at(0).await.unwrap(), "FIRST");
    assert_eq!(key_at(3000).await.unwrap(), "FIRST");
    assert_eq!(key_at(3400).await.unwrap(), "SECOND");
    assert_eq!(server.asked().len(), 2);
    assert_eq!(key_at(7000).await.unwrap(), "SECOND", "a failed refresh leaves what still holds");
    assert!(key_at(7200).await.is_err());
    assert!(server.asked()[0].headers["authorization"].contains("Credential=ENVIRONMENT/"));
}

#[tokio::test]
async fn a_web_identity_token_gives_credentials() {
    let answered = "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>\
        <AccessKeyId>POD</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>\
        <Expiration>2027-01-15T09:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult>\
        </AssumeRoleWithWebIdentityResponse>";
    let server = Server::start([answer(200, answered)]).await;
    let home = home("", "");
    let token = home.path().join("token");
    std::fs::write(&token, "jwt").unwrap();
    let role = ("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/pod");
    let token = ("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().unwrap());
    let session = load(&home, None, &[role, token, ("AWS_ENDPOINT_URL_STS", &server.url)]).await.unwrap();
    assert_eq!(key_id(&session).await, "POD");
    assert!(fields(&server.asked()[0]).contains(&("WebIdentityToken", "jwt")));
}
