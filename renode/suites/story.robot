*** Settings ***
Documentation       The owner's story from the factory to the end of support: `firstboot demo` on this emulator.
Library             keywords.py    board    ${EMULATOR}
Suite Setup         Firstboot Is Here
Suite Teardown      No Operation
Test Setup          No Operation
Test Teardown       Close The Board
Test Tags           story
Test Timeout        2 hours


*** Variables ***
${EMULATOR}         renode


*** Test Cases ***
An Owner Sets The Board Up And Updates It
    The Demo Passes With Steps    provision    setup    update_mqtt    update_coap    bad_release_reverts
