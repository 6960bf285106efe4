"""Queries of CloudWatch Logs Insights: their language, and how they are carried out on rows.

Source: CloudWatch Logs user guide, "CloudWatch Logs Insights QL".
"""
