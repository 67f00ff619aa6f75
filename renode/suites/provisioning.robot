*** Settings ***
Documentation       A board at the factory.
Library             keywords.py    unit    ${EMULATOR}
Suite Setup         Firstboot Is Here
Suite Teardown      No Operation
Test Setup          No Operation
Test Teardown       End The Unit
Test Timeout        2 hours


*** Variables ***
${EMULATOR}         renode


*** Test Cases ***
The Station Provisions A Bare Board Once
    Given A Bare Board
    When The Station Provisions It
    Then The Registry Lists It Once As Passed
    And It Has A Label
    And The Station Refuses It A Second Time
