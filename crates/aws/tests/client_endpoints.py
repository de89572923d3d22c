#!/usr/bin/env python3
"""Writes what botocore answers for the endpoint cases of `client_endpoints.rs`.

    python client_endpoints.py SERVICE… > client_endpoints.txt      (no service: all of botocore's)

Needs botocore of the version that the table of models was made from. A line starting with `=` names a service; the
lines below it are a case each: parameters as JSON, the URL or the error, the headers as JSON, and the ways to sign.
"""

import json
import sys

import botocore.session
from botocore.endpoint_provider import EndpointProvider
from botocore.exceptions import EndpointResolutionError

CASES = [
    {"Region": "us-east-1"},
    {"Region": "ap-northeast-1"},
    {"Region": "cn-northwest-1"},
    {"Region": "us-gov-west-1"},
    {"Region": "us-iso-east-1"},
    {"Region": "eusc-de-east-1"},
    {"Region": "us-east-1", "UseFIPS": True},
    {"Region": "eu-west-1", "UseDualStack": True},
    {"Region": "us-gov-east-1", "UseFIPS": True, "UseDualStack": True},
    {"Region": "us-west-2", "Endpoint": "http://127.0.0.1:5000/base"},
]

S3 = [
    {"Bucket": "example-bucket"},
    {"Bucket": "example.bucket"},
    {"Bucket": "Example_Bucket"},
    {"Bucket": "example-bucket", "ForcePathStyle": True},
    {"Bucket": "example bucket", "ForcePathStyle": True},
    {"Bucket": "example-bucket", "Endpoint": "http://127.0.0.1:5000"},
    {"Bucket": "example-bucket", "Endpoint": "https://s3.example.com:9000/base", "ForcePathStyle": True},
    {"Bucket": "example-bucket", "UseDualStack": True},
    {"Bucket": "example-bucket", "UseFIPS": True, "UseDualStack": True},
    {"Bucket": "example-bucket", "Accelerate": True},
    {"Bucket": "example.bucket", "Accelerate": True},
    {"Bucket": "example-bucket", "Region": "us-east-1", "UseGlobalEndpoint": True},
    {"Bucket": "arn:aws:s3:us-west-2:111122223333:accesspoint/name"},
    {"Bucket": "arn:aws:s3:eu-west-1:111122223333:accesspoint/name"},
    {"Bucket": "arn:aws:s3:eu-west-1:111122223333:accesspoint/name", "UseArnRegion": True},
    {"Bucket": "arn:aws-cn:s3:cn-north-1:111122223333:accesspoint/name", "Region": "cn-north-1"},
    {"Bucket": "arn:aws:s3::111122223333:accesspoint/name.mrap"},
    {"Bucket": "arn:aws:s3-object-lambda:us-west-2:111122223333:accesspoint/name"},
    {"Bucket": "arn:aws:s3-outposts:us-west-2:111122223333:outpost/op-01234567890123456/accesspoint/name"},
    {"Bucket": "arn:aws:s3:us-west-2:111122223333"},
    {"Bucket": "example--usw2-az1--x-s3"},
    {"Bucket": "example--usw2-az1--x-s3", "DisableS3ExpressSessionAuth": True},
    {"Bucket": "example--usw2-az1--x-s3", "UseS3ExpressControlEndpoint": True},
    {"UseS3ExpressControlEndpoint": True},
    {"Bucket": "example-bucket", "Region": "aws-global"},
]

EXTRA = {
    "s3": S3,
    "s3control": [
        {"AccountId": "111122223333", "RequiresAccountId": True},
        {"AccountId": "111122223333", "RequiresAccountId": True, "UseDualStack": True, "UseFIPS": True},
        {"AccountId": "not_a_label", "RequiresAccountId": True},
        {"RequiresAccountId": True},
        {"AccountId": "111122223333", "RequiresAccountId": True, "Endpoint": "http://127.0.0.1:5000"},
        {"AccountId": "111122223333", "RequiresAccountId": True, "OutpostId": "op-01234567890123456"},
        {"AccessPointName": "arn:aws:s3-outposts:us-west-2:111122223333:outpost:op-01234567890123456:accesspoint:name"},
        {"Bucket": "arn:aws:s3-outposts:us-west-2:111122223333:outpost:op-01234567890123456:bucket:name"},
    ],
    "dynamodb": [
        {"AccountId": "111122223333", "AccountIdEndpointMode": "preferred"},
        {"AccountId": "111122223333", "AccountIdEndpointMode": "disabled"},
        {"AccountIdEndpointMode": "required"},
        {"Region": "local"},
        {"ResourceArn": "arn:aws:dynamodb:us-west-2:111122223333:table/t", "AccountIdEndpointMode": "preferred"},
    ],
    "sts": [
        {"Region": "eu-west-1", "UseGlobalEndpoint": True},
        {"Region": "aws-global"},
    ],
    "iam": [{"Region": "aws-global"}, {"Region": "aws-cn-global"}],
    "eventbridge": [{"EndpointId": "abcde.veo"}, {"EndpointId": "abcde.veo", "UseFIPS": True}, {"EndpointId": "a/b"}],
    "events": [{"EndpointId": "abcde.veo"}, {"EndpointId": "abcde.veo", "UseFIPS": True}, {"EndpointId": "a/b"}],
}


def auth(scheme):
    double = "" if scheme.get("disableDoubleEncoding") else "double"
    return "/".join([scheme["name"], scheme.get("signingName", ""), scheme.get("signingRegion", ""), double])


def answer(provider, case):
    try:
        endpoint = provider.resolve_endpoint(**case)
    except EndpointResolutionError as error:
        text = str(error)
        kind = "need" if "required parameter" in text else "none" if "No endpoint found" in text else "error"
        return [kind + ": " + (text if kind == "error" else "")]
    headers = json.dumps(endpoint.headers, sort_keys=True) if endpoint.headers else "-"
    schemes = [auth(scheme) for scheme in endpoint.properties.get("authSchemes", [])]
    return [endpoint.url, headers, " ".join(schemes) or "-"]


def main():
    loader = botocore.session.get_session().get_component("data_loader")
    partitions = loader.load_data("partitions")
    for service in sys.argv[1:] or loader.list_available_services("service-2"):
        provider = EndpointProvider(loader.load_service_model(service, "endpoint-rule-set-1"), partitions)
        known = provider.ruleset.parameters
        print("=", service)
        extra = [{"Region": "us-west-2"} | case for case in EXTRA.get(service, [])]
        for case in CASES + extra:
            case = {name: value for name, value in case.items() if name in known}
            print("\t".join([json.dumps(case, sort_keys=True), *answer(provider, case)]))


if __name__ == "__main__":
    main()
