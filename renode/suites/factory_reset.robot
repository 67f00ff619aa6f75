*** Settings ***
Documentation       A unit that changes hands.
Library             keywords.py    unit    ${EMULATOR}
Suite Setup         Firstboot Is Here
Suite Teardown      No Operation
Test Setup          No Operation
Test Teardown       End The Unit
Test Timeout        2 hours


*** Variables ***
${EMULATOR}         renode


*** Test Cases ***
The Button Resets A Unit For Its Next Owner
    Given A Unit With An Owner
    When The Button Is Held While The Power Comes On
    And The Power Comes Back
    Then It Waits For A New Owner
    And Set Up Waits For A Press Of The Button
    When The Button Is Pressed
    Then After The Wait The Right Code Sets It Up

A Button That Stays Held Resets A Unit Once
    Given A Unit With An Owner
    When The Button Is Held While The Power Comes On
    Then It Waits For A New Owner
    And Set Up Waits For A Press Of The Button
    And The Held Button Reset It Once
    When The Button Is Released
    Then Set Up Waits For A Press Of The Button
    When The Button Is Pressed
    Then After The Wait The Right Code Sets It Up
