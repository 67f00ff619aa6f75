*** Settings ***
Documentation       A board at the factory.
Library             keywords.py    unit    ${EMULATOR}
Test Teardown       End The Unit
Test Timeout        20 minutes


*** Variables ***
${EMULATOR}         renode


*** Test Cases ***
The Station Provisions A Bare Board Once
    Given A Bare Board
    When The Station Provisions It
    Then The Registry Lists It Once As Passed
    And It Has A Label
    And The Station Refuses It A Second Time
