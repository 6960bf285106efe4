"""What policies allow: IAM's evaluation logic as pure functions over parsed documents.

`documents` compiles a policy, `evaluation` decides a request by all policies that concern it,
`wording` says a decision as AWS does. Nothing here knows where policies are kept.
"""
