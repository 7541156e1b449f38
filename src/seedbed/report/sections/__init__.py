"""The sections of the page, one file each; `seedbed.report.section` says what a file holds."""
