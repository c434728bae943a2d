"""`python -m connector` is the same command as `sms-connector`."""

from connector.safe_path import leave_working_folder

leave_working_folder()

from connector.cli.main import main  # noqa: E402 - whatever it imports comes from where we are installed

if __name__ == "__main__":
    main()
