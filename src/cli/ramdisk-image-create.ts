/** The command `ramdisk-image-create`. */
import { runImageCommand } from './image-command.ts';

void runImageCommand('ramdisk-image-create');
