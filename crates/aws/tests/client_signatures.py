#!/usr/bin/env python3
"""Writes what botocore signs for the requests of the signature test in `src/client/request.rs`.

    python client_signatures.py > client_signatures.txt

A line is a case: service, region, operation, input as JSON, the URL, and the `Authorization` header.
"""

import datetime
import json
from unittest import mock

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

TIME = datetime.datetime(2027, 1, 15, 8, 0, tzinfo=datetime.timezone.utc)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}

# service, region, operation, input, method, URL, headers of the protocol, body, name and region in the signature
CASES = [
    ("iam", "ap-northeast-1", "ListUsers", {"PathPrefix": "/a b/"},
     "POST", "https://iam.amazonaws.com/", FORM, "Action=ListUsers&Version=2010-05-08&PathPrefix=%2Fa%20b%2F", "iam", "us-east-1"),
    ("iam", "cn-north-1", "GetAccountSummary", {},
     "POST", "https://iam.cn-north-1.amazonaws.com.cn/", FORM, "Action=GetAccountSummary&Version=2010-05-08", "iam", "cn-north-1"),
    ("s3", "eu-west-1", "ListObjectVersions", {"Bucket": "example-bucket", "EncodingType": "url", "Prefix": "a b/é+~*'"},
     "GET", "https://example-bucket.s3.eu-west-1.amazonaws.com/?versions&encoding-type=url&prefix=a%20b%2F%C3%A9%2B~%2A%27", {}, "", "s3", "eu-west-1"),
    ("s3", "eu-west-1", "GetObjectTagging", {"Bucket": "example.bucket", "Key": "a b/é+~//x"},
     "GET", "https://s3.eu-west-1.amazonaws.com/example.bucket/a%20b/%C3%A9%2B~//x?tagging", {}, "", "s3", "eu-west-1"),
    ("s3control", "eu-west-1", "ListMultiRegionAccessPoints", {"AccountId": "111122223333"},
     "GET", "https://111122223333.s3-control.eu-west-1.amazonaws.com/v20180820/mrap/instances",
     {"x-amz-account-id": "111122223333", "x-amz-checksum-crc32": "AAAAAA=="}, "", "s3", "eu-west-1"),
    ("lambda", "us-east-1", "GetPolicy", {"FunctionName": "arn:aws:lambda:us-east-1:111122223333:function:f"},
     "GET", "https://lambda.us-east-1.amazonaws.com/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A111122223333%3Afunction%3Af/policy", {}, "", "lambda", "us-east-1"),
    ("dynamodb", "us-gov-west-1", "ListTables", {"Limit": 5},
     "POST", "https://dynamodb.us-gov-west-1.amazonaws.com/",
     {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "DynamoDB_20120810.ListTables"}, '{"Limit":5}', "dynamodb", "us-gov-west-1"),
]


def main():
    credentials = Credentials("AKIDEXAMPLE", "secret", "token")
    for service, region, operation, given, method, url, headers, body, name, place in CASES:
        signer = botocore.auth.S3SigV4Auth if name == "s3" else botocore.auth.SigV4Auth
        request = AWSRequest(method=method, url=url, headers=headers, data=body.encode())
        with mock.patch("botocore.auth.get_current_datetime", lambda: TIME.replace(tzinfo=None)):
            signer(credentials, name, place).add_auth(request)
        print("\t".join([service, region, operation, json.dumps(given), url, request.headers["Authorization"]]))


if __name__ == "__main__":
    main()
