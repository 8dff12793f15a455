"""TAKEN: another helper writes this module right now (test_security.py and test_build.py); write the others."""
