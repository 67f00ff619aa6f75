"""The report of a campaign in the forms that other tools read: JSON, JUnit XML, SARIF, one HTML page."""
