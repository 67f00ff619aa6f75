// CMSDK APB UART (Arm DDI 0479, 4.3) for Renode. Renode compiles this file when a script includes it.
//
// The part holds one received byte. The bytes that follow wait in the line until the guest has read it, as on QEMU, and
// each of them raises the interrupt again. Renode's own model raises it on arrival only: bytes that a handler leaves
// behind then wait for the next arrival. Sending takes no time.
using System;
using System.Collections.Generic;

using Antmicro.Renode.Core;
using Antmicro.Renode.Logging;
using Antmicro.Renode.Peripherals.Bus;

namespace Antmicro.Renode.Peripherals.UART
{
    public class CmsdkUart : UARTBase, IDoubleWordPeripheral, IKnownSize, IUARTWithBufferState
    {
        public CmsdkUart(IMachine machine, uint frequency) : base(machine)
        {
            this.frequency = frequency;
            TxInterrupt = new GPIO();
            RxInterrupt = new GPIO();
        }

        // Bytes that wait in the line outlive a reset: they have not reached the part.
        public override void Reset()
        {
            lock(sync)
            {
                control = 0;
                interrupts = 0;
                divider = 0;
                isFull = false;
                UpdateInterrupts();
            }
        }

        public override void WriteChar(byte value)
        {
            lock(sync)
            {
                line.Enqueue(value);
                Receive();
            }
            TellBufferState();
        }

        public uint ReadDoubleWord(long offset)
        {
            switch((Offset)offset)
            {
            case Offset.Data:
                return Read();
            case Offset.State:
                return isFull ? ReceiveFull : 0;
            case Offset.Control:
                return control;
            case Offset.Interrupts:
                return interrupts;
            case Offset.Divider:
                return divider;
            default:
                return 0;
            }
        }

        public void WriteDoubleWord(long offset, uint value)
        {
            switch((Offset)offset)
            {
            case Offset.Data:
                Send((byte)value);
                break;
            case Offset.State:
                break; // clears overruns, which this model does not have
            case Offset.Control:
                lock(sync)
                {
                    control = value & ControlMask;
                    Receive();
                    UpdateInterrupts();
                }
                TellBufferState();
                break;
            case Offset.Interrupts:
                lock(sync)
                {
                    interrupts &= ~value;
                    UpdateInterrupts();
                }
                break;
            case Offset.Divider:
                divider = value & DividerMask;
                break;
            default:
                this.Log(LogLevel.Warning, "write to 0x{0:X}, which is no register", offset);
                break;
            }
        }

        public long Size => 0x1000;

        public GPIO TxInterrupt { get; }

        public GPIO RxInterrupt { get; }

        public override uint BaudRate => divider == 0 ? 0 : frequency / divider;

        public override Bits StopBits => Bits.One;

        public override Parity ParityBit => Parity.None;

        public BufferState BufferState
        {
            get
            {
                lock(sync)
                {
                    return line.Count == 0 ? BufferState.Ready : BufferState.Full;
                }
            }
        }

        public event Action<BufferState> BufferStateChanged;

        // UARTBase calls these for its own queue, which this model does not use.
        protected override void CharWritten()
        {
        }

        protected override void QueueEmptied()
        {
        }

        private uint Read()
        {
            uint value;
            lock(sync)
            {
                value = buffer;
                isFull = false;
                Receive();
            }
            TellBufferState();
            return value;
        }

        private void Send(byte value)
        {
            if((control & TransmitEnable) == 0)
            {
                this.Log(LogLevel.Warning, "a byte was written while sending is off");
                return;
            }
            TransmitCharacter(value);
            if((control & TransmitInterruptEnable) != 0)
            {
                lock(sync)
                {
                    interrupts |= TransmitInterrupt;
                    UpdateInterrupts();
                }
            }
        }

        // Takes the next byte from the line, if the guest has read the one before.
        private void Receive()
        {
            if((control & ReceiveEnable) == 0 || isFull || line.Count == 0)
            {
                return;
            }
            buffer = line.Dequeue();
            isFull = true;
            if((control & ReceiveInterruptEnable) != 0)
            {
                interrupts |= ReceiveInterrupt;
                UpdateInterrupts();
            }
        }

        private void UpdateInterrupts()
        {
            TxInterrupt.Set((interrupts & TransmitInterrupt) != 0);
            RxInterrupt.Set((interrupts & ReceiveInterrupt) != 0);
        }

        private void TellBufferState()
        {
            BufferStateChanged?.Invoke(BufferState);
        }

        private const uint ReceiveFull = 1u << 1;
        private const uint TransmitEnable = 1u << 0;
        private const uint ReceiveEnable = 1u << 1;
        private const uint TransmitInterruptEnable = 1u << 2;
        private const uint ReceiveInterruptEnable = 1u << 3;
        private const uint ControlMask = 0x7F;
        private const uint DividerMask = 0xFFFFF;
        private const uint TransmitInterrupt = 1u << 0;
        private const uint ReceiveInterrupt = 1u << 1;

        private readonly uint frequency;
        private readonly object sync = new object();
        private readonly Queue<byte> line = new Queue<byte>();
        private uint control;
        private uint interrupts;
        private uint divider;
        private byte buffer;
        private bool isFull;

        private enum Offset : long
        {
            Data = 0x000,
            State = 0x004,
            Control = 0x008,
            Interrupts = 0x00C,
            Divider = 0x010,
        }
    }
}
