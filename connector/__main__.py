"""`python -m connector` is the same command as `sms-connector`."""

from connector.cli.main import main

if __name__ == "__main__":
    main()
