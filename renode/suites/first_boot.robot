*** Settings ***
Documentation       A new unit and its first owner (PSTI requirement 1).
Library             keywords.py    unit    ${EMULATOR}
Suite Setup         Firstboot Is Here
Suite Teardown      No Operation
Test Setup          No Operation
Test Teardown       End The Unit
Test Timeout        2 hours


*** Variables ***
${EMULATOR}         renode


*** Test Cases ***
A New Unit Answers Only Set-Up
    [Tags]    slow
    Given A Unit In Factory Default
    Then Only Set Up Answers

A Weak Password Is Refused
    [Tags]    slow
    Given A Unit In Factory Default
    Then Weak Passwords Are Refused

Wrong Codes Are Refused And Then Throttled
    [Tags]    slow
    Given A Unit In Factory Default
    When As Many Wrong Codes Are Tried As Cost Nothing
    Then Even The Right Code Must Wait
    And After The Wait The Right Code Sets It Up

An Owner Sets A Password And The Code Is Used Up
    Given A Unit In Factory Default
    When Its Owner Sets A Password
    Then The Set Up Code Is Refused From Now On
    And Only Its Owner Can Sign In
    And It Knows Its Support Period
