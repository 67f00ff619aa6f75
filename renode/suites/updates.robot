*** Settings ***
Documentation       Updates of a unit with an owner.
Library             keywords.py    unit    ${EMULATOR}
Suite Setup         Firstboot Is Here
Suite Teardown      No Operation
Test Setup          No Operation
Test Teardown       End The Unit
Test Timeout        2 hours


*** Variables ***
${EMULATOR}         renode


*** Test Cases ***
A Signed Update Arrives Over MQTT
    Given A Unit With An Owner
    When Release Is Published Over    2    mqtt
    Then Release Runs And Is Confirmed    2

A Signed Update Arrives Over CoAP
    Given A Unit With An Owner
    When Release Is Published Over    2    coap
    Then Release Runs And Is Confirmed    2

An Update With One Changed Bit Is Refused
    Given A Unit With An Owner
    Then A Release With One Changed Bit Is Refused

An Older Release Is Refused
    Given A Unit With An Owner
    When Release Is Published Over    2    mqtt
    And Release Runs And Is Confirmed    2
    Then An Older Release Is Refused

A Release That Hangs Is Reverted
    Given A Unit With An Owner
    Then A Release That Hangs Is Reverted

A Withheld Update Is Reported Until It Arrives
    Given A Unit With An Owner
    When Release Is Named By The Tracker And Withheld    2
    Then The Unit Reports What Is Withheld    release
    When Release Is Published Over    2    mqtt
    Then Release Runs And Is Confirmed    2
    And Nothing Is Withheld Any More

A Unit Past Its Support Period Says So And Takes An Update
    Given A Unit With An Owner
    When The Time Passes The Support Period
    Then The Unit Reports The End Of Support
    When Release Is Published Over    2    mqtt
    Then Release Runs And Is Confirmed    2

A Release Brings An Application
    Given A Unit With An Owner
    When Release Is Published Over    3    coap
    Then Release Runs And Is Confirmed    3
    And The Application Of Release Reports    3

A Release Arrives As A Delta
    Given A Unit With An Owner
    When Release Is Published Over    5    mqtt
    Then Release Runs And Is Confirmed    5
    And It Came As A Delta    5
