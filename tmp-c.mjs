import { Command } from 'commander'

new Command('x').description('y')
