// A serial line from a UART to a program on this computer. Renode compiles this file when a script includes it.
//
// Renode connects to a port of 127.0.0.1 at which that program listens, and first sends a word that only that program
// knows. Nothing here listens, so no other computer reaches the board. Renode's server socket terminals listen on all
// addresses.
//
// The next bytes are read only when the guest has taken those before, so a fast program waits, as with QEMU.
using System;
using System.Collections.Generic;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Threading;

using Antmicro.Renode.Core;
using Antmicro.Renode.Peripherals;
using Antmicro.Renode.Peripherals.UART;

namespace Antmicro.Renode.Backends.Terminals
{
    public static class HostLineExtensions
    {
        public static void CreateHostLine(this Emulation emulation, string name, int port, string word)
        {
            emulation.ExternalsManager.AddExternal(new HostLine(port, word), name);
        }
    }

    public class HostLine : IExternal, IConnectable<IUARTWithBufferState>, IDisposable
    {
        public HostLine(int port, string word)
        {
            host = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            host.NoDelay = true;
            host.Connect(new IPEndPoint(IPAddress.Loopback, port));
            host.Send(Encoding.ASCII.GetBytes(word));
        }

        public void AttachTo(IUARTWithBufferState uart)
        {
            this.uart = uart;
            machine = uart.GetMachine();
            uart.CharReceived += Enqueue;
            uart.BufferStateChanged += TakeBufferState;
            Start(ReadFromHost);
            Start(WriteToHost);
        }

        public void DetachFrom(IUARTWithBufferState uart)
        {
            uart.CharReceived -= Enqueue;
            uart.BufferStateChanged -= TakeBufferState;
            Dispose();
        }

        public void Dispose()
        {
            lock(output)
            {
                isClosed = true;
                Monitor.Pulse(output);
            }
            isTaken.Set();
            host.Close();
        }

        private void Start(Action body)
        {
            var thread = new Thread(() =>
            {
                try
                {
                    body();
                }
                catch(SocketException)
                {
                    // the program has closed its end
                }
                catch(ObjectDisposedException)
                {
                    // this end was closed
                }
            });
            thread.IsBackground = true;
            thread.Start();
        }

        private void ReadFromHost()
        {
            var chunk = new byte[ChunkBytes];
            int count;
            while((count = host.Receive(chunk)) > 0)
            {
                var bytes = new byte[count];
                Array.Copy(chunk, bytes, count);
                isTaken.Reset();
                machine.HandleTimeDomainEvent(Deliver, bytes, false);
                isTaken.WaitOne();
                if(isClosed)
                {
                    return;
                }
            }
        }

        // Runs while the processor stands still.
        private void Deliver(byte[] bytes)
        {
            foreach(var value in bytes)
            {
                uart.WriteChar(value);
            }
            isDelivered = true;
            TakeBufferState(uart.BufferState);
        }

        private void TakeBufferState(BufferState state)
        {
            if(isDelivered && state != BufferState.Full)
            {
                isDelivered = false;
                isTaken.Set();
            }
        }

        private void Enqueue(byte value)
        {
            lock(output)
            {
                output.Enqueue(value);
                if(output.Count == 1)
                {
                    Monitor.Pulse(output);
                }
            }
        }

        private void WriteToHost()
        {
            while(true)
            {
                byte[] bytes;
                lock(output)
                {
                    while(output.Count == 0 && !isClosed)
                    {
                        Monitor.Wait(output);
                    }
                    if(isClosed)
                    {
                        return;
                    }
                    bytes = output.ToArray();
                    output.Clear();
                }
                for(var sent = 0; sent < bytes.Length;)
                {
                    sent += host.Send(bytes, sent, bytes.Length - sent, SocketFlags.None);
                }
            }
        }

        private const int ChunkBytes = 1024;

        private readonly Socket host;
        private readonly Queue<byte> output = new Queue<byte>();
        private readonly ManualResetEvent isTaken = new ManualResetEvent(false);
        private IUARTWithBufferState uart;
        private IMachine machine;
        private volatile bool isClosed;
        private volatile bool isDelivered;
    }
}
