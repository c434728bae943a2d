"""Names that keys have in the SMS APIs there are, as `plain_name` gives them: without case and separators.

In the order of preference: what stands first is most certainly meant so.
"""

from __future__ import annotations

from typing import Final


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


TO: Final = _words("""
    to tos sendto recipient recipients receiver receivers mobile mobiles mobileno mobilenos mobilenumber mobilenumbers
    msisdn msisdns phone phones phonenumber phonenumbers tonumber tonumbers phno dst destination destinations
    destinationnumber destinationphonenumber destinationaddress dest da receipient contactnumber cellphone number
    numbers contact contacts gsm identifiervalue addresses address
""")
BODY: Final = _words("""
    text body messagebody messagetext messagecontent smstext smsbody smscontent message msg content sms txt bodyoverride
    ud data
""")
TEMPLATE: Final = _words("""
    templateid dlttemplateid dltteid flowid contenttemplateid intemplateid contentid templatename templatecode tid
    templateuuid
""")
VARIABLES: Final = _words("""
    templatevariables variables templateparams templateparam templatedata substitutions mergetags vars
""")
CAMPAIGN: Final = _words("campaignid campaign")
SENDER: Final = _words("from sender senderid src source originator mask fromnumber sourceaddress header sid")
USER: Final = _words("user username userid login uname accountid accountsid authid clientid")
