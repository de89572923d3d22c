-- CloudTrail events as OCSF API Activity (class 6003, version 1.5): the main fields, nested ones with `_` between.
SELECT
  6003                                                            AS class_uid,
  'API Activity'                                                  AS class_name,
  6                                                               AS category_uid,
  'Application Activity'                                          AS category_name,
  CASE
    WHEN "readOnly" THEN 2
    WHEN "eventName" LIKE 'Create%' OR "eventName" LIKE 'Run%' THEN 1
    WHEN "eventName" LIKE 'Delete%' OR "eventName" LIKE 'Terminate%' THEN 4
    WHEN "readOnly" IS NULL THEN 0
    ELSE 3
  END                                                             AS activity_id,
  CASE
    WHEN "readOnly" THEN 'Read'
    WHEN "eventName" LIKE 'Create%' OR "eventName" LIKE 'Run%' THEN 'Create'
    WHEN "eventName" LIKE 'Delete%' OR "eventName" LIKE 'Terminate%' THEN 'Delete'
    WHEN "readOnly" IS NULL THEN 'Unknown'
    ELSE 'Update'
  END                                                             AS activity_name,
  600300 + CASE
    WHEN "readOnly" THEN 2
    WHEN "eventName" LIKE 'Create%' OR "eventName" LIKE 'Run%' THEN 1
    WHEN "eventName" LIKE 'Delete%' OR "eventName" LIKE 'Terminate%' THEN 4
    WHEN "readOnly" IS NULL THEN 0
    ELSE 3
  END                                                             AS type_uid,
  1                                                               AS severity_id,
  CASE WHEN "errorCode" IS NULL THEN 1 ELSE 2 END                 AS status_id,
  CASE WHEN "errorCode" IS NULL THEN 'Success' ELSE 'Failure' END AS status,
  "errorCode"                                                     AS status_code,
  "errorMessage"                                                  AS status_detail,
  "eventTime"                                                     AS time_dt,
  arrow_cast("eventTime", 'Int64') / 1000                         AS time,
  "eventID"                                                       AS metadata_uid,
  'CloudTrail'                                                    AS metadata_product_name,
  'AWS'                                                           AS metadata_product_vendor_name,
  '1.5.0'                                                         AS metadata_version,
  "eventName"                                                     AS api_operation,
  "eventSource"                                                   AS api_service_name,
  "requestID"                                                     AS api_request_uid,
  "errorCode"                                                     AS api_response_error,
  "errorMessage"                                                  AS api_response_message,
  "userIdentity_type"                                             AS actor_user_type,
  "userIdentity_arn"                                              AS actor_user_uid_alt,
  "userIdentity_principalId"                                      AS actor_user_uid,
  "userIdentity_userName"                                         AS actor_user_name,
  "userIdentity_accountId"                                        AS actor_user_account_uid,
  "userIdentity_accessKeyId"                                      AS actor_user_credential_uid,
  "userIdentity_sessionContext_sessionIssuer_arn"                 AS actor_session_issuer,
  "userIdentity_invokedBy"                                        AS actor_invoked_by,
  "sourceIPAddress"                                               AS src_endpoint_ip,
  "vpcEndpointId"                                                 AS src_endpoint_interface_uid,
  "userAgent"                                                     AS http_request_user_agent,
  'AWS'                                                           AS cloud_provider,
  account                                                         AS cloud_account_uid,
  region                                                          AS cloud_region,
  resources                                                       AS resources_uid,
  record                                                          AS raw_data,
  account,
  region,
  day
FROM cloudtrail
