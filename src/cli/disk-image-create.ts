/** The command `disk-image-create`. */
import { runImageCommand } from './image-command.ts';

void runImageCommand('disk-image-create');
