*** Settings ***
Documentation       The boot ROM and the first release of a programmed board.
Library             keywords.py    board    ${EMULATOR}
Suite Setup         Run Keywords    Firstboot Is Here    AND    Build Firmware And Boot ROM
Suite Teardown      No Operation
Test Setup          No Operation
Test Teardown       Close The Board
Test Tags           board
Test Timeout        2 hours


*** Variables ***
${EMULATOR}         renode


*** Test Cases ***
A Programmed Board Starts Its First Release
    Given A Programmed Board
    When The Power Comes On
    Then The Console Shows    rom: slot 0 confirmed, image 1.0.0, counter 1
    And The Console Shows    reset: power-on
    And The Console Shows    unprovisioned

A Board Starts Again After A Power Cut
    Given A Programmed Board
    And The Power Comes On
    And The Console Shows    unprovisioned
    When The Power Is Cut
    And The Power Comes On
    Then The Console Shows    reset: power-on
    And The Console Shows    unprovisioned

The Firmware Reports A Reset From Outside
    Given A Programmed Board
    And The Power Comes On
    And The Console Shows    unprovisioned
    When The Board Is Reset
    Then The Console Shows    rom: slot 0 confirmed
    And The Console Shows    reset: external

A Trial That Loses Power Before Its Confirm Is Reverted
    Given A Programmed Board
    And Release Is Staged In Slot    2    1
    When The Power Comes On
    Then The Console Shows    rom: slot 1 trial, image 2.0.0, counter 1
    When The Power Is Cut
    And The Power Comes On
    Then The Console Shows    rom: slot 0 confirmed, image 1.0.0, counter 1

A Release With One Flipped Bit Does Not Start
    Given A Programmed Board
    And A Release With One Flipped Bit Is Staged In Slot    1
    When The Power Comes On
    Then The Console Shows    rom: slot 1 refused: digest
    And The Console Shows    rom: slot 0 confirmed, image 1.0.0, counter 1
    And The Console Never Showed    rom: slot 1 trial
