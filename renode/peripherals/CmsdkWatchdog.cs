// CMSDK APB watchdog (Arm DDI 0479, 4.5) for Renode. Renode compiles this file when a script includes it.
//
// The counter runs from LOAD to zero while CTRL.INTEN is set. At zero it raises its interrupt and starts again.
// At the next zero it resets the machine, if the interrupt was not cleared and CTRL.RESEN is set. All registers except
// LOCK are write-protected until 0x1ACCE551 is written to LOCK.
//
// The interrupt is NMI on the board. Renode's NVIC has no NMI input, so it is set pending by number.
// `frequency` is a uint because LimitTimer takes a long up to Renode 1.16.0 and a ulong from 1.16.1 on.
using System;

using Antmicro.Renode.Core;
using Antmicro.Renode.Logging;
using Antmicro.Renode.Peripherals.Bus;
using Antmicro.Renode.Peripherals.IRQControllers;
using Antmicro.Renode.Time;

namespace Antmicro.Renode.Peripherals.Timers
{
    public class CmsdkWatchdog : IDoubleWordPeripheral, IKnownSize
    {
        public CmsdkWatchdog(IMachine machine, NVIC nvic, uint frequency)
        {
            this.machine = machine;
            this.nvic = nvic;
            counter = new LimitTimer(machine.ClockSource, frequency, this, "watchdog", uint.MaxValue,
                Direction.Descending, false, WorkMode.Periodic, true, true);
            counter.LimitReached += OnZero;
        }

        public void Reset()
        {
            counter.Reset();
            load = uint.MaxValue;
            control = 0;
            isRaised = false;
            isLocked = false;
        }

        public uint ReadDoubleWord(long offset)
        {
            switch((Register)offset)
            {
            case Register.Load:
                return load;
            case Register.Value:
                return (uint)counter.Value;
            case Register.Control:
                return control;
            case Register.RawStatus:
                return isRaised ? 1u : 0u;
            case Register.Status:
                return isRaised && IsCounting ? 1u : 0u;
            case Register.Lock:
                return isLocked ? 1u : 0u;
            default:
                return 0;
            }
        }

        public void WriteDoubleWord(long offset, uint value)
        {
            var register = (Register)offset;
            if(register == Register.Lock)
            {
                isLocked = value != UnlockWord;
                return;
            }
            if(isLocked)
            {
                this.Log(LogLevel.Warning, "write to 0x{0:X} while locked", offset);
                return;
            }
            switch(register)
            {
            case Register.Load:
                load = value;
                Reload();
                break;
            case Register.Control:
                control = value & (InterruptEnable | ResetEnable);
                counter.Enabled = IsCounting;
                break;
            case Register.InterruptClear:
                isRaised = false;
                Reload();
                break;
            default:
                this.Log(LogLevel.Warning, "write to 0x{0:X}, which is read-only", offset);
                break;
            }
        }

        public long Size => 0x1000;

        private void Reload()
        {
            counter.Limit = Math.Max(1u, load);
            counter.Value = counter.Limit;
        }

        private void OnZero()
        {
            if(isRaised && (control & ResetEnable) != 0)
            {
                this.Log(LogLevel.Warning, "second expiry: reset");
                machine.RequestReset();
                return;
            }
            isRaised = true;
            nvic.SetPendingIRQ(NonMaskableInterrupt);
        }

        private bool IsCounting => (control & InterruptEnable) != 0;

        private const uint UnlockWord = 0x1ACCE551;
        private const uint InterruptEnable = 1;
        private const uint ResetEnable = 2;
        private const int NonMaskableInterrupt = 2;

        private readonly IMachine machine;
        private readonly NVIC nvic;
        private readonly LimitTimer counter;
        private uint load = uint.MaxValue;
        private uint control;
        private bool isRaised;
        private bool isLocked;

        private enum Register : long
        {
            Load = 0x000,
            Value = 0x004,
            Control = 0x008,
            InterruptClear = 0x00C,
            RawStatus = 0x010,
            Status = 0x014,
            Lock = 0xC00,
        }
    }
}
