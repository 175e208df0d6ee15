"""The doors of a service, and what leaves through them.

Import the module you need: `webhook_security` proves who sent a webhook, `delivery_store` takes each delivery once, `pii_redactor` takes
personal data out, `input_validation` refuses what does not fit, `headers_middleware` sets what browsers need, `audit_logging` keeps what
happened, `penetration_tester` attacks.
"""
