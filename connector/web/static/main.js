document.title = "SMS Connector"
