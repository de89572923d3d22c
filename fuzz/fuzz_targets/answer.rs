#![no_main]
use yagura_aws::model::Models;
use yagura_aws::protocol;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(models) = Models::embedded() else { return };
    for (service, operation) in [
        ("s3", "GetBucketAcl"),
        ("ec2", "DescribeInstances"),
        ("iam", "ListUsers"),
        ("lambda", "ListFunctions"),
        ("kms", "DescribeKey"),
    ] {
        let Some(service) = models.service(service) else { continue };
        let Some(operation) = service.operation(operation) else { continue };
        let _ = protocol::parse_output(&service, operation, 200, &[], bytes);
        let _ = protocol::parse_error(&service, operation, 400, &[], bytes);
    }
});
