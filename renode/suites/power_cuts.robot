*** Settings ***
Documentation       The power is cut inside of a flash operation, in each phase of a unit's life. The firmware of the variant `cut` stops itself there.
Library             keywords.py    unit    ${EMULATOR}    cuts
Suite Setup         Firstboot Is Here
Suite Teardown      No Operation
Test Setup          No Operation
Test Teardown       End The Unit
Test Tags           board
Test Timeout        2 hours


*** Variables ***
${EMULATOR}         renode


*** Test Cases ***
The Power Is Cut While The Station Provisions A Board
    Given A Bare Board
    When The Power Is Cut At Operation While The Station Provisions It    10
    Then The Station Provisions It After The Cut
    And The Registry Lists It Once As Passed

The Power Is Cut While The Owner Sets A Unit Up
    Given A Unit In Factory Default
    When The Power Is Cut At Operation While Its Owner Sets It Up    3
    And The Power Comes Back
    Then Either The Code Or The Password Opens It

The Power Is Cut While An Update Is Written
    Given A Unit With An Owner
    When Release Is Published Over    2    mqtt
    And The Power Is Cut At Operation From Now    8
    And The Power Comes Back
    Then Release Runs And Is Confirmed    2

The Power Is Cut During A Trial
    Given A Unit With An Owner
    When Release Is Published Over    2    mqtt
    And The Power Is Cut During The Trial Of Release    2
    And The Power Comes Back
    Then An Old Or A New Release Runs    1    2
    And The Unit Can Still Be Updated To    3

The Power Is Cut During A Factory Reset
    Given A Unit With An Owner
    When The Power Is Cut At Operation Of A Reset With The Button    9
    And The Power Comes Back
    Then It Waits For A New Owner
